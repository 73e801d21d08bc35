"""What the commands of ``gm-distill`` share: options, the recipe that they ask for, and progress."""
