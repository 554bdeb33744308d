"""The web server: pages for people, and HTTP for programs.

app.py       the application: its routes, its headers, its errors
rendering.py templates with escaping, and the words for numbers and times
views/       a module for each page: what it shows, and its routes
templates/   Jinja2, one for each page
static/      the stylesheet and the script
"""
