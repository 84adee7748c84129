#compdef hushwire hushwired wg wg-quick
# Completion of hushwire, hushwired, wg and wg-quick for zsh. Made by the build, from the definition of the commands.

_hushwire_set() {
    local interface=$1 word last= in_peer= removed=
    shift
    local -a used=() all=(@SET@) found=()
    for word in "$@"; do
        case $last in
            listen-port|fwmark|private-key|preshared-key|endpoint|persistent-keepalive|allowed-ips)
                last= ;;
            peer)
                last= in_peer=1 removed= used=() ;;
            *)
                last=$word
                used+=($word)
                if [[ $word == remove ]]; then
                    removed=1 last=
                fi ;;
        esac
    done
    case $last in
        private-key|preshared-key) _files; return ;;
        peer) compadd -- ${(f)"$(_call_program peers ${(q)program} show ${(q)interface} peers 2>/dev/null)"}; return ;;
        fwmark|persistent-keepalive) compadd -- off; return ;;
        listen-port|endpoint|allowed-ips) return 1 ;;
    esac
    local pair
    for pair in $all; do
        word=${pair%%:*}
        (( ${used[(Ie)$word]} )) && [[ $word != peer ]] && continue
        case $word in
            peer) ;;
            listen-port|fwmark|private-key) [[ $in_peer ]] && continue ;;
            *) [[ $in_peer && ! $removed ]] || continue ;;
        esac
        found+=($pair)
    done
    _describe 'option' found
}

_hushwire() {
    local program=$words[1] own=1 command kind
    local -a found rest operands kinds
    [[ ${program:t} == (wg|wg-quick) ]] && own=
    if [[ ${program:t} == hushwired ]]; then
        found=(@DAEMON@)
        _describe 'option' found
        return
    fi
    if (( CURRENT == 2 )); then
        case ${program:t} in
            wg) found=(@WG@) ;;
            wg-quick) found=(@WG_QUICK@) ;;
            *) found=(@ALL@) ;;
        esac
        _describe 'command' found
        return
    fi
    command=$words[2]
    rest=("${(@)words[3,CURRENT-1]}")
    if [[ $own ]]; then
        while (( $#rest )) && [[ $rest[1] == --* ]]; do
            case $rest[1] in
                @VALUED@)
                    (( $#rest == 1 )) && return 1
                    shift 2 rest ;;
                *) shift rest ;;
            esac
        done
        if (( $#rest == 0 )) && [[ $words[CURRENT] == -* ]]; then
            case $command in
@OPTIONS@
            esac
            _describe 'option' found
            return
        fi
    fi
    operands=("${(@)rest}")
    case $command in
@OPERANDS@
    esac
    kind=$kinds[$#operands+1]
    if (( $#operands >= 1 )) && [[ $kinds[2] == set ]]; then
        kind=set
    fi
    case $kind in
        interface) compadd -- ${=$(_call_program interfaces ${(q)program} show interfaces 2>/dev/null)} ;;
        interfaces) compadd -- ${=$(_call_program interfaces ${(q)program} show interfaces 2>/dev/null)} all interfaces ;;
        selector)
            [[ $operands[1] == interfaces ]] && return 1
            found=(@SELECTORS@)
            _describe 'selector' found ;;
        file) _files ;;
        configuration)
            _files
            local -a files=(/etc/wireguard/*.conf(N:t:r))
            compadd -- $files ;;
        shell) compadd -- bash zsh fish ;;
        page) compadd -- @PAGES@ ;;
        set) _hushwire_set "$operands[1]" "${(@)operands[2,-1]}" ;;
    esac
}

if [[ $funcstack[1] == _hushwire ]]; then
    _hushwire "$@"
else
    compdef _hushwire hushwire hushwired wg wg-quick
fi
