"""What supporters see: the page with the form, thanks, and every month's result."""
