"""What is predicted from what, judged how, on which rows."""
