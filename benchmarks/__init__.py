"""Speed and memory side by side with other people's nets, each table by a module of its own."""
