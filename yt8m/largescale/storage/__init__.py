"""What workers share without a shared folder: objects in a store, and copies on local disks."""
