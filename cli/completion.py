"""`stanch completion SHELL`: a script that completes commands, options, drills and runbooks."""

from __future__ import annotations

import argparse

from cli import exits

_BASH = """# source <(stanch completion bash)
_stanch() {
  local word="${COMP_WORDS[COMP_CWORD]}" command="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "${COMP_WORDS[i]}" in -*) ;; *) command="${COMP_WORDS[i]}"; break ;; esac
  done
  case "$command" in
    drill) COMPREPLY=($(compgen -W "@DRILLS@ --list --serve --blind --speed --seed" -- "$word")) ;;
    run) COMPREPLY=($(compgen -W "@RUNBOOKS@ --symptom" -- "$word")) ;;
    runbooks) COMPREPLY=($(compgen -W "list show lint path @RUNBOOKS@" -- "$word")) ;;
    timeline) COMPREPLY=($(compgen -W "@VERBS@" -- "$word")) ;;
    "") COMPREPLY=($(compgen -W "@COMMANDS@ @OPTIONS@" -- "$word")) ;;
    *) COMPREPLY=($(compgen -W "-o --output --help" -- "$word")) ;;
  esac
}
complete -o default -F _stanch stanch
"""
_ZSH = """#compdef stanch
# source <(stanch completion zsh)
autoload -U +X bashcompinit && bashcompinit
"""
_FISH = """# stanch completion fish | source
complete -c stanch -f
complete -c stanch -n __fish_use_subcommand -a "@COMMANDS@"
complete -c stanch -n "__fish_seen_subcommand_from drill" -a "@DRILLS@"
complete -c stanch -n "__fish_seen_subcommand_from run" -a "@RUNBOOKS@"
complete -c stanch -n "__fish_seen_subcommand_from timeline" -a "@VERBS@"
complete -c stanch -n "__fish_seen_subcommand_from runbooks" -a "list show lint path"
"""
COMMANDS = "triage match probe timeline runbooks run drill doctor completion"
VERBS = "list show note export import verify salvage handoff"
OPTIONS = "--context --namespace --write --kubeconfig --incident --runbooks --help"


def run(arguments: argparse.Namespace) -> int:
    from drills.scenario import catalogue
    from incident.offline import runbooks as books

    template = {"bash": _BASH, "zsh": _ZSH + _BASH, "fish": _FISH}[arguments.shell]
    names = " ".join(book.id for book in books.load().runbooks)
    print(
        template.replace("@COMMANDS@", COMMANDS)
        .replace("@VERBS@", VERBS)
        .replace("@OPTIONS@", OPTIONS)
        .replace("@DRILLS@", " ".join(catalogue.ids() + catalogue.guide_ids()))
        .replace("@RUNBOOKS@", names),
        end="",
    )
    return exits.ANSWERED
