# bash completion for pastime: commands from "pastime help --list", options
# from "pastime CMD --help", recordings from "pastime ls".

_pastime_commands()
{
	pastime help --list 2>/dev/null
}

# --long and -s, one a line.
_pastime_options()
{
	pastime "$1" --help 2>/dev/null | sed -n 's/^ \{1,6\}\(-.*\)/\1/p' |
		sed 's/  .*//' |
		grep -oE -- '(^|[ ,])--?[A-Za-z][A-Za-z0-9-]*=?' | tr -d ' ,'
}

# Numbers and names, newest first.
_pastime_recordings()
{
	pastime ls --csv 2>/dev/null | awk -F, '
		NR > 1 { print $1; gsub(/"/, "", $3); if ($3) print $3 }'
}

_pastime()
{
	local cur prev words cword cmd=
	COMPREPLY=()
	if declare -F _init_completion >/dev/null; then
		_init_completion -n = || return
	else
		cur=${COMP_WORDS[COMP_CWORD]}
		prev=${COMP_WORDS[COMP_CWORD - 1]}
		words=("${COMP_WORDS[@]}")
		cword=$COMP_CWORD
	fi

	local i
	for ((i = 1; i < cword; i++)); do
		case ${words[i]} in
		-*) ;;
		*)
			cmd=${words[i]}
			break
			;;
		esac
	done

	if [ -z "$cmd" ]; then
		mapfile -t COMPREPLY < <(compgen -W \
			"$(_pastime_commands) --help --version" -- "$cur")
		return
	fi

	# Past the options of record everything belongs to its command.
	if [ "$cmd" = record ]; then
		for ((i++; i < cword; i++)); do
			case ${words[i]} in
			--)
				((i++))
				break
				;;
			-n | -t | -c | -e | -o | --name | --tag | --cpus | \
				--env | --db | --chaos-knobs | --chaos-at)
				((i++))
				;;
			-*) ;;
			*) break ;;
			esac
		done
		if [ $i -lt "$cword" ] &&
			declare -F _command_offset >/dev/null; then
			_command_offset $i
			return
		elif [[ $cur != -* ]]; then
			mapfile -t COMPREPLY < <(compgen -c -- "$cur")
			return
		fi
	fi

	case $cur in
	-*)
		mapfile -t COMPREPLY < <(compgen -W \
			"$(_pastime_options "$cmd")" -- "$cur")
		[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace
		return
		;;
	esac

	case $prev in
	-f | --file)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--diff | -w | --with)
		mapfile -t COMPREPLY < <(compgen -W \
			"$(_pastime_recordings)" -- "$cur")
		return
		;;
	--at | --from | --to)
		mapfile -t COMPREPLY < <(compgen -W "start end" -- "$cur")
		return
		;;
	esac

	case $cmd in
	help)
		mapfile -t COMPREPLY < <(compgen -W \
			"$(_pastime_commands) errors schema pastime" -- "$cur")
		;;
	db)
		mapfile -t COMPREPLY < <(compgen -W \
			"status start stop url init" -- "$cur")
		;;
	replay | tui | trace | diff | gdb | index | show | ps | sql | mv | tag | rm)
		mapfile -t COMPREPLY < <(compgen -W \
			"$(_pastime_recordings)" -- "$cur")
		;;
	esac
}

complete -F _pastime pastime
