"""What must not be in an image, or hides in its text: secrets, hidden Unicode, injected prompts.

Pure functions over bytes. Imports `spec` and what lies below.
"""
