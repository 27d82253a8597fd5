"""What to use on a text in the time there is: rungs of trials, a long run of the winner, and how sure that is."""
