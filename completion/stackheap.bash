# shellcheck shell=bash
# Completes stackheap and the commands in scripts/. scripts/readme writes this file: do not edit it.
# To load it: . completion/stackheap.bash

# KIND: prints the names of that kind; the project is in $root.
_stackheap_names() {
    case $1 in
        charts) grep -l '^QUESTION = ' "$root"/scripts/suite/charts/*.py | sed 's:.*/::; s/\.py$//' ;;
        claims) grep -hA1 '^@claim(' "$root"/scripts/suite/claims/*.py | sed -nE 's/^(@claim\(| +)"([^"]+)".*/\2/p' ;;
        presets) sed -nE 's/.*"name": "([a-z0-9-]+)", "inherits".*/\1/p' "$root"/CMakePresets.json ;;
        revisions) git -C "$root" for-each-ref --format='%(refname:short)' 2>/dev/null ;;
    esac
}

_stackheap() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=${1##*/}
    local root=${1/#\~/$HOME} below='' arguments='' options='' kind='' words='' typed
    root=${root%/*}/..
    if [[ $word == = ]]; then word=''; elif [[ $before == = ]]; then before=${COMP_WORDS[COMP_CWORD - 2]}; fi
    case $command in
        history) below='add list trend check export annotate page' ;;
    esac
    for typed in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        [[ " $below " != *" $typed "* ]] || { command+=" $typed"; break; }
    done
    case $command in
        'stackheap')
            case $before in
                --profile) kind=words words='smoke quick full' ;;
                --allocator | --recording | --describe-recording) kind=files ;;
                --tested | --events | --only | --pin | --layout | --limit | --iterations | --turns) kind=anything ;;
            esac
            options='--profile --allocator --tested --recording --events --only --pin --layout --limit --iterations --turns --list --describe-recording --version --help' ;;
        'ci')
            case $before in
                --old | --new | --reference) kind=files ;;
                --rev) kind=revisions ;;
                --only | --threshold | --budget | --history | --label) kind=anything ;;
                --out) kind=folders ;;
            esac
            options='-h --help --version --old --new --rev --reference --only --threshold --budget --history --label --out' ;;
        'claims')
            case $before in
                --claim) kind=claims ;;
            esac
            options='-h --help --version --claim --details' ;;
        'compare')
            case $before in
                --rev) kind=revisions ;;
                --allocator | --judge | --record | --floors | --out | --chart) kind=files ;;
                --env | --label | --pairs | --budget | --seconds | --layouts | --seed | --only | --threshold) kind=anything ;;
                --build) kind=presets ;;
                --profile) kind=words words='smoke quick full' ;;
                --format) kind=words words='text markdown json junit' ;;
                --theme) kind=words words='light dark' ;;
            esac
            options='-h --help --version --rev --allocator --env --label --judge --build --profile --pairs --budget --seconds --layouts --seed --record --calibrate --only --threshold --floors --across --allow-missing --strict --bisect --explain --format --out --chart --theme' ;;
        'doctor')
            case $before in
                --build) kind=presets ;;
            esac
            options='-h --help --version --build --yes' ;;
        'evaluate')
            case $before in
                --from | --out | --write | --check) kind=files ;;
                --minutes | --seed | --suites | --claims) kind=anything ;;
                --build) kind=presets ;;
            esac
            options='-h --help --version --from --record --out --minutes --quick --seed --suites --claims --write --check --build' ;;
        'export')
            case $before in
                --to) kind=words words='google-benchmark github-action-benchmark bencher otava otava-config' ;;
                -o | --out) kind=files ;;
            esac
            options='-h --help --version --to -o --out' ;;
        'history')
            case $before in
                --file) kind=files ;;
            esac
            options='-h --help --version --file'
            arguments='add list trend check export annotate page' ;;
        'history add')
            case $before in
                --file | --reference) kind=files ;;
                --commit) kind=anything ;;
            esac
            options='-h --help --version --file --commit --reference' ;;
        'history list')
            case $before in
                --file) kind=files ;;
            esac
            options='-h --help --version --file' ;;
        'history trend')
            case $before in
                --file | --chart) kind=files ;;
                --theme) kind=words words='light dark' ;;
                --size) kind=words words='talk paper' ;;
                --threshold | --like | --last) kind=anything ;;
            esac
            options='-h --help --version --file --chart --theme --size --threshold --like --last' ;;
        'history check')
            case $before in
                --file) kind=files ;;
                --format) kind=words words='text markdown json' ;;
                --only | --threshold | --like | --last) kind=anything ;;
            esac
            options='-h --help --version --file --format --allow-short --allow-missing --strict --all --only --threshold --like --last' ;;
        'history export')
            case $before in
                --file) kind=files ;;
                --format) kind=words words='csv json' ;;
                --only | --like | --last) kind=anything ;;
            esac
            options='-h --help --version --file --format --samples --only --like --last' ;;
        'history annotate')
            case $before in
                --file) kind=files ;;
                --only) kind=anything ;;
            esac
            options='-h --help --version --file --only --note' ;;
        'history page')
            case $before in
                --file) kind=files ;;
                --out) kind=folders ;;
                --title | --threshold | --last) kind=anything ;;
            esac
            options='-h --help --version --file --out --title --threshold --last' ;;
        'mutate')
            case $before in
                --only | --jobs) kind=anything ;;
                --folder) kind=folders ;;
            esac
            options='-h --help --version --only --list --all --jobs --folder' ;;
        'plot')
            case $before in
                --label | --format) kind=anything ;;
                --chart) kind=charts ;;
                --theme) kind=words words='light dark' ;;
                --size) kind=words words='talk paper portrait' ;;
                --out) kind=folders ;;
            esac
            options='-h --help --version --label --chart --format --theme --size --out' ;;
        'program')
            case $before in
                --stdin | --recording | --allocator) kind=files ;;
                --setup | --timeout | --pairs | --budget | --threshold | --most | --label) kind=anything ;;
                --out) kind=folders ;;
                --build) kind=presets ;;
            esac
            options='-h --help --version --stdin --setup --timeout --any-output --pairs --budget --threshold --most --recording --allocator --label --out --no-figures --build --yes' ;;
        'readme')
            case $before in
                --refresh | --extend) kind=files ;;
            esac
            options='-h --help --version --check --refresh --extend' ;;
        'report')
            case $before in
                --label) kind=anything ;;
                -o | --out) kind=files ;;
            esac
            options='-h --help --version --label -o --out' ;;
        'run')
            case $before in
                --profile) kind=words words='smoke quick full' ;;
                --only | --label | --processes | --refine) kind=anything ;;
                --allocator) kind=files ;;
                --out) kind=folders ;;
                --build) kind=presets ;;
            esac
            options='-h --help --version --profile --only --allocator --label --out --resume --processes --refine --no-figures --build --yes' ;;
        'verify')
            case $before in
                --build) kind=presets ;;
            esac
            options='-h --help --version --build --yes' ;;
        'setup')
            case $before in
                --for) kind=words words='run test lint sanitize cross' ;;
            esac
            options='-h --help --for --venv --yes --dry-run --quiet --print-python --version' ;;
        'test')
            case $before in
                -m | --preset | -k) kind=anything ;;
            esac
            options='-h --help --quick --nightly -m --preset -k --yes --version' ;;
        'lint')
            options='-h --help --version'
            arguments='clang-tidy cppcheck shellcheck mypy' ;;
        'sanitize')
            options='-h --help --version'
            arguments='asan tsan valgrind fuzz' ;;
        'cross')
            options='-h --help --version' ;;
    esac
    if [[ -z $kind && $word == -* ]]; then
        kind=words words=$options
    elif [[ -z $kind && -n $arguments ]]; then
        kind=words words=$arguments
    fi
    case $kind in
        '' | files) ;; # the shell completes files itself
        folders) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$word") ;;
        anything) compopt +o default +o bashdefault ;;
        words) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word") ;;
        *) mapfile -t COMPREPLY < <(compgen -W "$(_stackheap_names "$kind")" -- "$word") ;;
    esac
}

_stackheap_root=$(realpath "${BASH_SOURCE[0]}")
complete -o bashdefault -o default -F _stackheap stackheap \
    {,./,"${_stackheap_root%/*/*}/"}scripts/{ci,claims,compare,doctor,evaluate,export,history,mutate,plot,program,readme,report,run,verify,setup,test,lint,sanitize,cross}
unset _stackheap_root
