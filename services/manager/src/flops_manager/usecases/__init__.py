"""What people and actors can make the manager do."""
