# Completion of @PROGRAM@ for fish. Made by the build, from the definition of the commands.

# The words before the current one, without the program and without options and their values.
function __@PROGRAM@_words
    set -l words (commandline -opc)
    set -e words[1]
    set -l value 0
    set -l count 0
    for word in $words
        if test $value = 1
            set value 0
            continue
        end
        # Options stand between a command and its operands.
        if test $count = 1
            switch $word
                case @VALUED@
                    set value 1
                    continue
                case '--*'
                    continue
            end
        end
        set count (math $count + 1)
        printf '%s\n' $word
    end
end

# What stands in the place of the current word.
function __@PROGRAM@_kind
    set -l words (__@PROGRAM@_words)
    if test (count $words) = 0
        echo command
        return
    end
    set -l kinds
    switch $words[1]
@OPERANDS@
    end
    if test (count $words) -gt 2; and test "$kinds[2]" = set
        echo set
        return
    end
    if test (count $words) -le (count $kinds)
        echo $kinds[(count $words)]
    end
end

function __@PROGRAM@_place
    test "$(__@PROGRAM@_kind)" = $argv[1]
end

function __@PROGRAM@_command
    set -l words (__@PROGRAM@_words)
    test (count $words) -ge 1; and test $words[1] = $argv[1]
end

# The option of `set` whose value the current word is; nothing if an option may stand here.
function __@PROGRAM@_set_state
    set -l words (__@PROGRAM@_words)
    set -e words[1..2]
    set -g __@PROGRAM@_in_peer 0
    set -g __@PROGRAM@_removed 0
    set -g __@PROGRAM@_used
    set -l last
    for word in $words
        switch "$last"
            case peer
                set last
                set __@PROGRAM@_in_peer 1
                set __@PROGRAM@_removed 0
                set __@PROGRAM@_used
            case listen-port fwmark private-key preshared-key endpoint persistent-keepalive allowed-ips
                set last
            case '*'
                set last $word
                set -a __@PROGRAM@_used $word
                if test $word = remove
                    set last
                    set __@PROGRAM@_removed 1
                end
        end
    end
    set -g __@PROGRAM@_last $last
end

function __@PROGRAM@_set_value
    __@PROGRAM@_place set; or return 1
    __@PROGRAM@_set_state
    contains -- "$__@PROGRAM@_last" $argv
end

function __@PROGRAM@_set_option
    __@PROGRAM@_place set; or return 1
    __@PROGRAM@_set_state
    test -z "$__@PROGRAM@_last"; or return 1
    test $argv[1] = peer; and return 0
    contains -- $argv[1] $__@PROGRAM@_used; and return 1
    switch $argv[1]
        case listen-port fwmark private-key
            test $__@PROGRAM@_in_peer = 0
        case '*'
            test $__@PROGRAM@_in_peer = 1; and test $__@PROGRAM@_removed = 0
    end
end

function __@PROGRAM@_interfaces
    command @PROGRAM@ show interfaces 2>/dev/null | string split -n ' '
end

function __@PROGRAM@_peers
    set -l words (__@PROGRAM@_words)
    command @PROGRAM@ show $words[2] peers 2>/dev/null
end

complete -c @PROGRAM@ -f
complete -c @PROGRAM@ -n '__@PROGRAM@_place interface' -a '(__@PROGRAM@_interfaces)'
complete -c @PROGRAM@ -n '__@PROGRAM@_place interfaces' -a '(__@PROGRAM@_interfaces) all interfaces'
complete -c @PROGRAM@ -n '__@PROGRAM@_place file' -F
complete -c @PROGRAM@ -n '__@PROGRAM@_place configuration' -F
complete -c @PROGRAM@ -n '__@PROGRAM@_place configuration' -a '(path basename -E /etc/wireguard/*.conf 2>/dev/null)'
complete -c @PROGRAM@ -n '__@PROGRAM@_place shell' -a 'bash zsh fish'
complete -c @PROGRAM@ -n '__@PROGRAM@_place page' -a '@PAGES@'
complete -c @PROGRAM@ -n '__@PROGRAM@_set_value private-key preshared-key' -F
complete -c @PROGRAM@ -n '__@PROGRAM@_set_value peer' -a '(__@PROGRAM@_peers)'
complete -c @PROGRAM@ -n '__@PROGRAM@_set_value fwmark persistent-keepalive' -a off
@LINES@
