"""What ails a baseline: the roadmap's five questions, answered from measured runs."""
