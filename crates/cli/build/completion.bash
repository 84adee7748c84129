# Completion of hushwire, wg and wg-quick for bash. Made by the build, from the definition of the commands.

_hushwire_options() {
    case $1 in
@OPTIONS@
    esac
}

_hushwire_operands() {
    case $1 in
@OPERANDS@
    esac
}

_hushwire_words() {
    COMPREPLY+=($(compgen -W "$1" -- "$2"))
}

_hushwire_files() {
    compopt -o filenames 2>/dev/null
    COMPREPLY+=($(compgen -f -- "$1"))
}

_hushwire_configurations() {
    local file
    _hushwire_files "$1"
    for file in /etc/wireguard/*.conf; do
        [[ -e $file ]] || continue
        file=${file##*/}
        _hushwire_words "${file%.conf}" "$1"
    done
}

# What may follow the words of `set` after the interface: PROGRAM INTERFACE CURRENT WORD...
_hushwire_set() {
    local program=$1 interface=$2 current=$3 word last= in_peer= removed= used=" " options
    shift 3
    for word in "$@"; do
        case $last in
            listen-port | fwmark | private-key | preshared-key | endpoint | persistent-keepalive | allowed-ips)
                last= ;;
            peer)
                last= in_peer=1 removed= used=" " ;;
            *)
                last=$word
                used+="$word "
                if [[ $word == remove ]]; then
                    removed=1 last=
                fi ;;
        esac
    done
    case $last in
        private-key | preshared-key) _hushwire_files "$current"; return ;;
        peer) _hushwire_words "$("$program" show "$interface" peers 2>/dev/null)" "$current"; return ;;
        listen-port | endpoint | allowed-ips) return ;;
        fwmark | persistent-keepalive) _hushwire_words "off" "$current"; return ;;
    esac
    options="peer"
    if [[ -z $in_peer ]]; then
        options+=" listen-port fwmark private-key"
    elif [[ -z $removed ]]; then
        options+=" remove preshared-key endpoint persistent-keepalive allowed-ips"
    fi
    for word in $options; do
        if [[ $word == peer || $used != *" $word "* ]]; then
            _hushwire_words "$word" "$current"
        fi
    done
}

_hushwire() {
    # Split at blanks alone: keys have a `=` at the end, endpoints colons.
    local line=${COMP_LINE:0:COMP_POINT} program current command kind kinds own=1 index=0 IFS=$' \t\n'
    local -a words rest=() operands=()
    read -ra words <<< "$line"
    [[ $line == *[[:blank:]] ]] && words+=("")
    COMPREPLY=()
    program=${words[0]} current=${words[${#words[@]} - 1]} command=${words[1]-}
    [[ ${program##*/} == wg || ${program##*/} == wg-quick ]] && own=
    if ((${#words[@]} <= 2)); then
        case ${program##*/} in
            wg) _hushwire_words "@WG@ help" "$current" ;;
            wg-quick) _hushwire_words "@WG_QUICK@" "$current" ;;
            *) _hushwire_words "@ALL@ --help --version" "$current" ;;
        esac
        return
    fi
    rest=("${words[@]:2:${#words[@]}-3}")
    # Options stand before the operands, and only under our own name.
    if [[ $own ]]; then
        while ((index < ${#rest[@]})) && [[ ${rest[index]} == --* ]]; do
            case ${rest[index]} in
                @VALUED@) ((index += 2)) ;;
                *) ((index += 1)) ;;
            esac
        done
        ((index > ${#rest[@]})) && return
        if ((index == ${#rest[@]})) && [[ $current == -* ]]; then
            _hushwire_words "$(_hushwire_options "$command")" "$current"
            return
        fi
    fi
    operands=("${rest[@]:index}")
    kinds=($(_hushwire_operands "$command"))
    kind=${kinds[${#operands[@]}]-}
    if [[ ${#operands[@]} -ge 1 && ${kinds[1]-} == set ]]; then
        kind=set
    fi
    case $kind in
        interface) _hushwire_words "$("$program" show interfaces 2>/dev/null)" "$current" ;;
        interfaces) _hushwire_words "$("$program" show interfaces 2>/dev/null) all interfaces" "$current" ;;
        selector)
            [[ ${operands[0]} == interfaces ]] || _hushwire_words "@SELECTORS@" "$current" ;;
        file) _hushwire_files "$current" ;;
        configuration) _hushwire_configurations "$current" ;;
        shell) _hushwire_words "bash zsh fish" "$current" ;;
        page) _hushwire_words "@PAGES@" "$current" ;;
        set) _hushwire_set "$program" "${operands[0]}" "$current" "${operands[@]:1}" ;;
    esac
}

_hushwired() {
    COMPREPLY=()
    _hushwire_words "@DAEMON@" "${COMP_WORDS[COMP_CWORD]}"
}

complete -F _hushwire hushwire wg wg-quick
complete -F _hushwired hushwired
