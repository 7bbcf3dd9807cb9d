"""What the builder knows and decides; nothing here touches the world."""
