"""The one exception for what a person can mend."""


class UserError(Exception):
    """A bad file, missing weights, no GPU: the message says what is wrong and what to do.

    Pages show it as a toast, the command line prints it on stderr and exits with 2, HTTP answers 4xx.
    Anything else that is raised is a bug.
    """
