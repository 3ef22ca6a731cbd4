"""The version of stanch, said to every server. A constant: to ask the installed package costs 10 ms
at every start."""

VERSION = "0.1.0"
