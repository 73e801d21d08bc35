"""What the commands of ``gm-distill`` share: the recipe that is asked for, and what people see meanwhile."""
