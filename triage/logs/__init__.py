"""Classifies lines of container logs: the class of the failure, the deciding sentence, the address
in it. Pure functions of text, without objects; reads nothing."""
