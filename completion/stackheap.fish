# Completes stackheap and the commands in scripts/. scripts/readme writes this file: do not edit it.
# To load it: source completion/stackheap.fish

function __stackheap_names --description 'print the names of a kind'
    set -l typed (commandline -opc)
    set -l root (dirname (dirname (string replace -r '^~' $HOME $typed[1])))
    switch $argv[1]
        case charts
            root=$root sh -c 'grep -l \'^QUESTION = \' "$root"/scripts/suite/charts/*.py | sed \'s:.*/::; s/\\.py$//\''
        case claims
            root=$root sh -c 'grep -hA1 \'^@claim(\' "$root"/scripts/suite/claims/*.py | sed -nE \'s/^(@claim\\(| +)"([^"]+)".*/\\2/p\''
        case presets
            root=$root sh -c 'sed -nE \'s/.*"name": "([a-z0-9-]+)", "inherits".*/\\1/p\' "$root"/CMakePresets.json'
        case revisions
            root=$root sh -c 'git -C "$root" for-each-ref --format=\'%(refname:short)\' 2>/dev/null'
    end
end

complete -c stackheap -l profile -d 'choose the arguments and the time for each benchmark' -x -a 'smoke quick full'
complete -c stackheap -l allocator -d 'add a malloc library as NAME' -r -F
complete -c stackheap -l tested -d 'measure with these malloc libraries only' -x
complete -c stackheap -l recording -d 'replay the recording of a program as NAME, in place of those of this program' -r -F
complete -c stackheap -l events -d 'replay only the first so many events of each such recording' -x
complete -c stackheap -l only -d 'measure only the benchmarks whose name matches' -x
complete -c stackheap -l pin -d 'pin each thread to a processor' -x
complete -c stackheap -l layout -d 'choose the memory layout that each benchmark\'s process draws' -x
complete -c stackheap -l limit -d 'end a benchmark whose process takes longer, as an error' -x
complete -c stackheap -l iterations -d 'repeat the operation so often in each repetition of a benchmark' -x
complete -c stackheap -l turns -d 'take turns with another process' -x
complete -c stackheap -l list -d 'list the families, and the strategies with their availability'
complete -c stackheap -l describe-recording -d 'print what a recording of a program\'s calls of malloc holds, as JSON' -r -F
complete -c stackheap -l version -d 'print the version and the revision'
complete -c stackheap -l help -d 'show this help and the options of Google Benchmark'
complete -p '*/scripts/ci' -s h -l help -d 'show this help message and exit'
complete -p '*/scripts/ci' -l version -d 'show the version and the revision, and exit'
complete -p '*/scripts/ci' -l old -d 'measure this as the old side' -r -F
complete -p '*/scripts/ci' -l new -d 'measure this as the new side, of the same kind' -r -F
complete -p '*/scripts/ci' -l rev -d 'compare this revision of the suite\'s own repository with HEAD, instead of old and new' -x -a '(__stackheap_names revisions)'
complete -p '*/scripts/ci' -l reference -d 'measure this malloc library of a pinned release beside the new side, for the history' -r -F
complete -p '*/scripts/ci' -l only -d 'compare and record only benchmarks whose name matches, for example \'^scoped/\'' -x
complete -p '*/scripts/ci' -l threshold -d 'set the smallest change that matters, as 2% or 0.02, for all benchmarks or for those that match' -x
complete -p '*/scripts/ci' -l budget -d 'measure for at most so many seconds' -x
complete -p '*/scripts/ci' -l history -d 'keep the history, its page and its badge on this branch' -x
complete -p '*/scripts/ci' -l label -d 'name the gate in its comment, where a repository has several' -x
complete -p '*/scripts/ci' -l out -d 'write the results into this folder' -x -a '(__fish_complete_directories)'
complete -p '*/scripts/claims' -s h -l help -d 'show this help message and exit'
complete -p '*/scripts/claims' -l version -d 'show the version and the revision, and exit'
complete -p '*/scripts/claims' -l claim -d 'test only this claim' -x -a '(__stackheap_names claims)'
complete -p '*/scripts/claims' -l details -d 'add all numbers with their intervals'
complete -p '*/scripts/compare' -s h -l help -d 'show this help message and exit'
complete -p '*/scripts/compare' -l version -d 'show the version and the revision, and exit'
complete -p '*/scripts/compare' -l rev -d 'measure this git revision' -x -a '(__stackheap_names revisions)'
complete -p '*/scripts/compare' -l allocator -d 'measure this malloc library' -r -F
complete -p '*/scripts/compare' -l env -d 'set this environment variable for the processes of a side, old or new' -x
complete -p '*/scripts/compare' -l label -d 'name a side' -x
complete -p '*/scripts/compare' -l judge -d 'judge recorded pairs again, without measuring' -r -F
complete -p '*/scripts/compare' -l build -d 'build this CMake preset, for --rev, --allocator and --env' -x -a '(__stackheap_names presets)'
complete -p '*/scripts/compare' -l profile -d 'choose which profile\'s arguments to use' -x -a 'smoke quick full'
complete -p '*/scripts/compare' -l pairs -d 'measure this many pairs of a benchmark, twice as many on a noisy machine, and as many again to confirm' -x
complete -p '*/scripts/compare' -l budget -d 'stop measuring after this time' -x
complete -p '*/scripts/compare' -l seconds -d 'measure this long in each turn of a process' -x
complete -p '*/scripts/compare' -l layouts -d 'link each side N times with its code at other addresses, and draw a layout for each process' -x
complete -p '*/scripts/compare' -l seed -d 'seed the orders and layouts' -x
complete -p '*/scripts/compare' -l record -d 'write the pairs to this file' -r -F
complete -p '*/scripts/compare' -l calibrate -d 'compare the old side with itself to measure this machine\'s noise'
complete -p '*/scripts/compare' -l only -d 'compare the benchmarks whose name matches, for example \'^scoped/\'' -x
complete -p '*/scripts/compare' -l threshold -d 'set the smallest change that matters, as 2% or 0.02, for all benchmarks or for those that match' -x
complete -p '*/scripts/compare' -l floors -d 'use the floors of this calibration' -r -F
complete -p '*/scripts/compare' -l across -d 'compare results of different machines, compilers, libraries or profiles anyway'
complete -p '*/scripts/compare' -l allow-missing -d 'ignore benchmarks that one side lacks, or that failed in one result, with a warning'
complete -p '*/scripts/compare' -l strict -d 'exit with 2 if a benchmark is undecided'
complete -p '*/scripts/compare' -l bisect -d 'exit with 125 instead of 2, so that git bisect run skips what cannot be judged'
complete -p '*/scripts/compare' -l explain -d 'show why'
complete -p '*/scripts/compare' -l format -d 'choose the output format' -x -a 'text markdown json junit'
complete -p '*/scripts/compare' -l out -d 'write the comparison to this file instead of printing it' -r -F
complete -p '*/scripts/compare' -l chart -d 'also draw the changes, as .svg, .png or .pdf' -r -F
complete -p '*/scripts/compare' -l theme -d 'choose the chart\'s colours' -x -a 'light dark'
complete -p '*/scripts/doctor' -s h -l help -d 'show this help message and exit'
complete -p '*/scripts/doctor' -l version -d 'show the version and the revision, and exit'
complete -p '*/scripts/doctor' -l build -d 'use the program of this CMake preset' -x -a '(__stackheap_names presets)'
complete -p '*/scripts/doctor' -l yes -d 'install what is missing without asking'
complete -p '*/scripts/evaluate' -s h -l help -d 'show this help message and exit'
complete -p '*/scripts/evaluate' -l version -d 'show the version and the revision, and exit'
complete -p '*/scripts/evaluate' -l from -d 'judge this recording, for example results/evaluation/recording.json.gz' -r -F
complete -p '*/scripts/evaluate' -l record -d 'only record, to --out'
complete -p '*/scripts/evaluate' -l out -d 'write the recording to this file' -r -F
complete -p '*/scripts/evaluate' -l minutes -d 'record for N minutes' -x
complete -p '*/scripts/evaluate' -l quick -d 'record for 10 minutes'
complete -p '*/scripts/evaluate' -l seed -d 'seed the recording\'s order and its neighbour' -x
complete -p '*/scripts/evaluate' -l suites -d 'resample N suites' -x
complete -p '*/scripts/evaluate' -l claims -d 'record nothing' -x
complete -p '*/scripts/evaluate' -l write -d 'put the table into this page\'s generated block' -r -F
complete -p '*/scripts/evaluate' -l check -d 'change nothing' -r -F
complete -p '*/scripts/evaluate' -l build -d 'build and record this CMake preset' -x -a '(__stackheap_names presets)'
complete -p '*/scripts/export' -s h -l help -d 'show this help message and exit'
complete -p '*/scripts/export' -l version -d 'show the version and the revision, and exit'
complete -p '*/scripts/export' -l to -d 'choose the format' -x -a 'google-benchmark github-action-benchmark bencher otava otava-config'
complete -p '*/scripts/export' -s o -l out -d 'write to this file instead of printing' -r -F
complete -p '*/scripts/history' -n 'not __fish_seen_subcommand_from add list trend check export annotate page' -f -a add -d 'add runs to the record, each run once'
complete -p '*/scripts/history' -n 'not __fish_seen_subcommand_from add list trend check export annotate page' -f -a list -d 'show the runs and the annotations'
complete -p '*/scripts/history' -n 'not __fish_seen_subcommand_from add list trend check export annotate page' -f -a trend -d 'show series and their change points'
complete -p '*/scripts/history' -n 'not __fish_seen_subcommand_from add list trend check export annotate page' -f -a check -d 'fail when a series got worse'
complete -p '*/scripts/history' -n 'not __fish_seen_subcommand_from add list trend check export annotate page' -f -a export -d 'print the values of the series'
complete -p '*/scripts/history' -n 'not __fish_seen_subcommand_from add list trend check export annotate page' -f -a annotate -d 'record the reason of a change'
complete -p '*/scripts/history' -n 'not __fish_seen_subcommand_from add list trend check export annotate page' -f -a page -d 'write a site of all series, and a badge, into a folder'
complete -p '*/scripts/history' -s h -l help -d 'show this help message and exit'
complete -p '*/scripts/history' -l version -d 'show the version and the revision, and exit'
complete -p '*/scripts/history' -l file -d 'use this record' -r -F
complete -p '*/scripts/history' -n '__fish_seen_subcommand_from add' -l commit -d 'name the commit that was measured' -x
complete -p '*/scripts/history' -n '__fish_seen_subcommand_from add' -l reference -d 'add the run of a pinned build that was measured beside it' -r -F
complete -p '*/scripts/history' -n '__fish_seen_subcommand_from trend' -l chart -d 'draw the series into this file' -r -F
complete -p '*/scripts/history' -n '__fish_seen_subcommand_from trend' -l theme -d 'choose the chart\'s colours' -x -a 'light dark'
complete -p '*/scripts/history' -n '__fish_seen_subcommand_from trend' -l size -d 'choose the chart\'s size' -x -a 'talk paper'
complete -p '*/scripts/history' -n '__fish_seen_subcommand_from trend' -l threshold -d 'set the smallest change that matters, as 2% or 0.02' -x
complete -p '*/scripts/history' -n '__fish_seen_subcommand_from trend' -l like -d 'take the series of this run\'s machine, profile and unit' -x
complete -p '*/scripts/history' -n '__fish_seen_subcommand_from trend' -l last -d 'take the last N runs' -x
complete -p '*/scripts/history' -n '__fish_seen_subcommand_from check' -l format -d 'choose the format' -x -a 'text markdown json'
complete -p '*/scripts/history' -n '__fish_seen_subcommand_from check' -l allow-short -d 'pass, with a message, if the history is too short'
complete -p '*/scripts/history' -n '__fish_seen_subcommand_from check' -l allow-missing -d 'ignore series that the newest run lacks'
complete -p '*/scripts/history' -n '__fish_seen_subcommand_from check' -l strict -d 'exit with 2 on an early warning'
complete -p '*/scripts/history' -n '__fish_seen_subcommand_from check' -l all -d 'also show series that got better, and accepted changes'
complete -p '*/scripts/history' -n '__fish_seen_subcommand_from check' -l only -d 'show, and fail for, only series whose name matches' -x
complete -p '*/scripts/history' -n '__fish_seen_subcommand_from check' -l threshold -d 'set the smallest change that matters, as 2% or 0.02' -x
complete -p '*/scripts/history' -n '__fish_seen_subcommand_from check' -l like -d 'take the series of this run\'s machine, profile and unit' -x
complete -p '*/scripts/history' -n '__fish_seen_subcommand_from check' -l last -d 'take the last N runs' -x
complete -p '*/scripts/history' -n '__fish_seen_subcommand_from export' -l format -d 'choose the format' -x -a 'csv json'
complete -p '*/scripts/history' -n '__fish_seen_subcommand_from export' -l samples -d 'print the raw figures of every process instead'
complete -p '*/scripts/history' -n '__fish_seen_subcommand_from export' -l only -d 'take only series whose name matches' -x
complete -p '*/scripts/history' -n '__fish_seen_subcommand_from export' -l like -d 'take the series of this run\'s machine, profile and unit' -x
complete -p '*/scripts/history' -n '__fish_seen_subcommand_from export' -l last -d 'take the last N runs' -x
complete -p '*/scripts/history' -n '__fish_seen_subcommand_from annotate' -l only -d 'cover only series whose name matches' -x
complete -p '*/scripts/history' -n '__fish_seen_subcommand_from annotate' -l note -d 'record the reason only'
complete -p '*/scripts/history' -n '__fish_seen_subcommand_from page' -l out -d 'write here' -x -a '(__fish_complete_directories)'
complete -p '*/scripts/history' -n '__fish_seen_subcommand_from page' -l title -d 'set the page\'s title' -x
complete -p '*/scripts/history' -n '__fish_seen_subcommand_from page' -l threshold -d 'set the smallest change that matters, as 2% or 0.02' -x
complete -p '*/scripts/history' -n '__fish_seen_subcommand_from page' -l last -d 'judge the last N runs' -x
complete -p '*/scripts/mutate' -s h -l help -d 'show this help message and exit'
complete -p '*/scripts/mutate' -l version -d 'show the version and the revision, and exit'
complete -p '*/scripts/mutate' -l only -d 'try only mutants whose name or file matches' -x
complete -p '*/scripts/mutate' -l list -d 'list the mutants and check that they apply, without trying them'
complete -p '*/scripts/mutate' -l all -d 'run all tests on each mutant, not only the tests that must notice'
complete -p '*/scripts/mutate' -l jobs -d 'try N mutants at a time' -x
complete -p '*/scripts/mutate' -l folder -d 'write the copies to this folder, and keep them for the next time' -x -a '(__fish_complete_directories)'
complete -p '*/scripts/plot' -s h -l help -d 'show this help message and exit'
complete -p '*/scripts/plot' -l version -d 'show the version and the revision, and exit'
complete -p '*/scripts/plot' -l label -d 'name a run in the charts' -x
complete -p '*/scripts/plot' -l chart -d 'draw only this chart' -x -a '(__stackheap_names charts)'
complete -p '*/scripts/plot' -l format -d 'write these of svg, png, pdf' -x
complete -p '*/scripts/plot' -l theme -d 'choose the charts\' colours' -x -a 'light dark'
complete -p '*/scripts/plot' -l size -d 'choose the size' -x -a 'talk paper portrait'
complete -p '*/scripts/plot' -l out -d 'write to this folder' -x -a '(__fish_complete_directories)'
complete -p '*/scripts/program' -s h -l help -d 'show this help message and exit'
complete -p '*/scripts/program' -l version -d 'show the version and the revision, and exit'
complete -p '*/scripts/program' -l stdin -d 'give this file to the program as its input, anew in each run' -r -F
complete -p '*/scripts/program' -l setup -d 'run this shell command before each run, untimed' -x
complete -p '*/scripts/program' -l timeout -d 'end a run that takes longer' -x
complete -p '*/scripts/program' -l any-output -d 'compare mallocs even where the program prints something else in each run'
complete -p '*/scripts/program' -l pairs -d 'measure exactly so many pairs of runs for each malloc' -x
complete -p '*/scripts/program' -l budget -d 'measure for about this time in all' -x
complete -p '*/scripts/program' -l threshold -d 'set the smallest change of CPU time that matters, as 2% or 0.02' -x
complete -p '*/scripts/program' -l most -d 'record at most so many calls of each process' -x
complete -p '*/scripts/program' -l recording -d 'replay this recording' -r -F
complete -p '*/scripts/program' -l allocator -d 'measure this malloc library too' -r -F
complete -p '*/scripts/program' -l label -d 'name the run' -x
complete -p '*/scripts/program' -l out -d 'write to this folder' -x -a '(__fish_complete_directories)'
complete -p '*/scripts/program' -l no-figures -d 'do not draw figures, and do not write the report'
complete -p '*/scripts/program' -l build -d 'build and measure this CMake preset' -x -a '(__stackheap_names presets)'
complete -p '*/scripts/program' -l yes -d 'install what is missing without asking'
complete -p '*/scripts/readme' -s h -l help -d 'show this help message and exit'
complete -p '*/scripts/readme' -l version -d 'show the version and the revision, and exit'
complete -p '*/scripts/readme' -l check -d 'change nothing'
complete -p '*/scripts/readme' -l refresh -d 'first make this run the reference' -r -F
complete -p '*/scripts/readme' -l extend -d 'first add the families of this run that the reference lacks' -r -F
complete -p '*/scripts/report' -s h -l help -d 'show this help message and exit'
complete -p '*/scripts/report' -l version -d 'show the version and the revision, and exit'
complete -p '*/scripts/report' -l label -d 'name a run in the page' -x
complete -p '*/scripts/report' -s o -l out -d 'write to this file' -r -F
complete -p '*/scripts/run' -s h -l help -d 'show this help message and exit'
complete -p '*/scripts/run' -l version -d 'show the version and the revision, and exit'
complete -p '*/scripts/run' -l profile -d 'choose the extent' -x -a 'smoke quick full'
complete -p '*/scripts/run' -l only -d 'measure only benchmarks whose name matches, for example \'^scoped/\'' -x
complete -p '*/scripts/run' -l allocator -d 'measure this malloc library too' -r -F
complete -p '*/scripts/run' -l label -d 'name the run' -x
complete -p '*/scripts/run' -l out -d 'write to this folder' -x -a '(__fish_complete_directories)'
complete -p '*/scripts/run' -l resume -d 'go on with results/latest, or --out DIR, where it was interrupted'
complete -p '*/scripts/run' -l processes -d 'start N processes for each family' -x
complete -p '*/scripts/run' -l refine -d 'measure so many seconds further to decide the claims that are undecided after all processes' -x
complete -p '*/scripts/run' -l no-figures -d 'do not draw figures, and do not write the report'
complete -p '*/scripts/run' -l build -d 'build and measure this CMake preset' -x -a '(__stackheap_names presets)'
complete -p '*/scripts/run' -l yes -d 'install what is missing without asking'
complete -p '*/scripts/verify' -s h -l help -d 'show this help message and exit'
complete -p '*/scripts/verify' -l version -d 'show the version and the revision, and exit'
complete -p '*/scripts/verify' -l build -d 'build and test this CMake preset' -x -a '(__stackheap_names presets)'
complete -p '*/scripts/verify' -l yes -d 'install what is missing without asking'
complete -p '*/scripts/setup' -s h -l help -d 'show the help'
complete -p '*/scripts/setup' -l for -d 'install what this purpose needs' -x -a 'run test lint sanitize cross'
complete -p '*/scripts/setup' -l venv -d 'take all Python modules from PyPI, also where the system has them'
complete -p '*/scripts/setup' -l yes -d 'do not ask'
complete -p '*/scripts/setup' -l dry-run -d 'say what would be done, and do nothing'
complete -p '*/scripts/setup' -l quiet -d 'print nothing when nothing is missing'
complete -p '*/scripts/setup' -l print-python -d 'print the path of the Python that has all modules, and nothing else'
complete -p '*/scripts/setup' -l version -d 'show the version and the revision, and do nothing else'
complete -p '*/scripts/test' -s h -l help -d 'show the help'
complete -p '*/scripts/test' -l quick -d 'run only the tests in Python that need no build and no browser and take few seconds'
complete -p '*/scripts/test' -l nightly -d 'run every test, also those that take too long for each change'
complete -p '*/scripts/test' -s m -d 'run only the tests in Python with this mark' -x
complete -p '*/scripts/test' -l preset -d 'build and test this preset of CMakePresets.json' -x
complete -p '*/scripts/test' -s k -d 'run only the tests with NAME in their name, in C++ and in Python' -x
complete -p '*/scripts/test' -l yes -d 'install what is missing without asking'
complete -p '*/scripts/test' -l version -d 'show the version and the revision, and do nothing else'
complete -p '*/scripts/lint' -s h -l help -d 'show the help'
complete -p '*/scripts/lint' -l version -d 'show the version and the revision, and do nothing else'
complete -p '*/scripts/lint' -f -a clang-tidy -d 'checks all C++ files that are compiled, tests included, as .clang-tidy says'
complete -p '*/scripts/lint' -f -a cppcheck -d 'checks the same files, as a second opinion'
complete -p '*/scripts/lint' -f -a shellcheck -d 'checks every shell script'
complete -p '*/scripts/lint' -f -a mypy -d 'checks the types in Python, as pyproject.toml says'
complete -p '*/scripts/sanitize' -s h -l help -d 'show the help'
complete -p '*/scripts/sanitize' -l version -d 'show the version and the revision, and do nothing else'
complete -p '*/scripts/sanitize' -f -a asan -d 'builds and runs with AddressSanitizer and UndefinedBehaviorSanitizer'
complete -p '*/scripts/sanitize' -f -a tsan -d 'builds and runs with ThreadSanitizer'
complete -p '*/scripts/sanitize' -f -a valgrind -d 'runs only the tests, from the build of scripts/test'
complete -p '*/scripts/sanitize' -f -a fuzz -d 'builds every reader of text in C++ with Clang, AddressSanitizer and UndefinedBehaviorSanitizer, and runs it'
complete -p '*/scripts/cross' -s h -l help -d 'show the help'
complete -p '*/scripts/cross' -l version -d 'show the version and the revision, and do nothing else'
