#!/bin/sh
# Puts rcron on this machine from the unpacked tarball that this script is in, or takes it away again.
#
# Goes to:  /etc and --prefix get what is in files/; this script stays in the tarball
# Called:   ./install.sh [--prefix DIR] [--destdir DIR] [--uninstall]       --help says more
# Check:    rcron --version; rcronctl doctor
#
# On Debian take the .deb instead. This script starts, enables and writes nothing by itself; it says what is to be done.
# What is installed, and with which checksum, is noted in PREFIX/share/rcron/installed, so that a later call can tell
# its own files from other people's, and a configuration that somebody has changed from one that nobody has.
set -u
umask 022
LC_ALL=C
export LC_ALL

prefix=/usr/local
destdir=
action=install

usage() {
	cat <<-'END'
		Usage: ./install.sh [--prefix DIR] [--destdir DIR] [--uninstall]

		  --prefix DIR   what the package has in /usr goes here (default: /usr/local);
		                 the configuration goes to /etc whatever the prefix
		  --destdir DIR  put everything below DIR, as if that were /: for making packages
		  --uninstall    take away what an earlier call has installed; give the same
		                 --prefix and --destdir. A changed configuration stays

		Exit status: 0 done, 1 refused or failed (it says why), 2 wrong use.
	END
}

say() { printf 'install.sh: %s\n' "$*"; }
refuse() {
	printf 'install.sh: %s\n' "$*" >&2
	exit 1
}
misused() {
	printf 'install.sh: %s\n' "$*" >&2
	usage >&2
	exit 2
}

while [ $# -gt 0 ]; do
	case $1 in
	--prefix=* | --destdir=*)
		option=${1%%=*}
		value=${1#*=}
		;;
	--prefix | --destdir)
		[ $# -gt 1 ] || misused "$1 must be followed by a folder"
		option=$1
		value=$2
		shift
		;;
	--uninstall)
		action=uninstall
		shift
		continue
		;;
	--help | -h)
		usage
		exit 0
		;;
	*) misused "unknown option: $1" ;;
	esac
	shift
	# The prefix is written into scripts and units: nothing that they would read in another way.
	case $value in
	*[!A-Za-z0-9/._+-]* | *..*) misused "$option may have letters, digits and / . _ + - in it: got '$value'" ;;
	/*) ;;
	*) misused "$option must be an absolute path: got '$value'" ;;
	esac
	while [ "$value" != "${value%/}" ]; do value=${value%/}; done
	case $option in
	--prefix) prefix=$value ;;
	--destdir) destdir=$value ;;
	esac
done

here=$(cd "$(dirname -- "$0")" && pwd) || exit 1
note=$prefix/share/rcron/installed
program=./usr/bin/rcron

# The place of a file below files/: /usr and /lib give way to the prefix.
place_of() { # ./PATH
	case $1 in
	./usr/*) printf '%s\n' "$prefix/${1#./usr/}" ;;
	./lib/*) printf '%s\n' "$prefix/${1#./}" ;;
	*) printf '%s\n' "${1#.}" ;;
	esac
}

sum_of() { # FILE
	cksum <"$1" | tr ' ' -
}

# The checksum with which the last call has installed PLACE; fails where it did not.
noted() { # PLACE
	[ -f "$destdir$note" ] && sed -n "s#^[a-z]* \\([^ ]*\\) $1\$#\\1#p" "$destdir$note" | grep .
}

# Notes the folders above PLACE that have to be made, the outermost first.
note_folders() { # PLACE
	folder=${1%/*}
	missing=
	while [ -n "$folder" ] && [ ! -d "$destdir$folder" ]; do
		missing="$folder $missing"
		folder=${folder%/*}
	done
	for folder in $missing; do
		mkdir "$destdir$folder" || return 1
		printf 'folder - %s\n' "$folder" >>"$work/note"
	done
}

is_writable() { # PLACE: the nearest folder above it that there is
	nearest=$destdir${1%/*}
	while [ -n "$nearest" ] && [ ! -e "$nearest" ]; do nearest=${nearest%/*}; done
	[ -w "${nearest:-/}" ]
}

check_machine() {
	[ -d "$here/files" ] || refuse "there is no folder files/ beside this script: run it in the unpacked tarball"
	[ -z "$destdir" ] || return 0
	if command -v dpkg-query >/dev/null && dpkg-query -W -f '${Status}' rcron 2>/dev/null | grep -q ' installed$'; then
		refuse "rcron is installed here as a Debian package: upgrade that, or remove it first (apt-get remove rcron)"
	fi
	error=$("$here/files/usr/bin/rcron" --version 2>&1 >/dev/null) || refuse "the program in this tarball does not run on this machine ($(uname -m)): $error
install.sh: it wants the tarball for this kind of machine, glibc 2.17 or newer, and a folder without noexec"
}

# Every text in its final form in $work/files, and a list of what goes where: KIND PATH PLACE.
prepare() {
	work=$(mktemp -d) || exit 1
	trap 'rm -rf -- "$work"' EXIT
	trap 'exit 1' HUP INT TERM
	: >"$work/note"
	: >"$work/list"
	(cd "$here/files" && find . -type f -o -type l) | sort >"$work/paths"
	while read -r path; do
		place=$(place_of "$path")
		case $path in
		./etc/init.d/*) # only where there is something that runs it
			[ -n "$destdir" ] || [ -d /etc/init.d ] || continue
			kind='conf'
			;;
		./etc/*) kind='conf' ;;
		*) kind='file' ;;
		esac
		[ ! -L "$here/files/$path" ] || kind='link'
		printf '%s %s %s\n' "$kind" "$path" "$place" >>"$work/list"
		if [ "$path" != "$program" ]; then
			mkdir -p "$work/files/${path%/*}" && cp -P "$here/files/$path" "$work/files/$path" || exit 1
			[ "$kind" = link ] || sed -i -e "s#/usr/bin/rcron#$prefix/bin/rcron#g" \
				-e "s#/usr/share/rcron#$prefix/share/rcron#g" -e "s#/usr/share/doc/rcron#$prefix/share/doc/rcron#g" \
				-e "s#/usr/lib/ocf/resource.d/rcron#$prefix/lib/ocf/resource.d/rcron#g" "$work/files/$path" || exit 1
		fi
	done <"$work/paths"
}

source_of() { # PATH
	if [ "$1" = "$program" ]; then printf '%s\n' "$here/files/$1"; else printf '%s\n' "$work/files/$1"; fi
}

is_same() { # PATH PLACE
	if [ -L "$work/files/$1" ]; then
		[ "$(readlink "$work/files/$1")" = "$(readlink "$destdir$2")" ]
	else
		cmp -s "$(source_of "$1")" "$destdir$2"
	fi
}

# Nothing is changed unless everything can be.
check_places() {
	while read -r kind path place; do
		target=$destdir$place
		is_writable "$place" || refuse "can't write to $destdir${place%/*}: run this as root, or with --destdir"
		[ ! -d "$target" ] || [ -L "$target" ] || refuse "$target is a folder, and a file is to be put there"
		[ "$kind" != conf ] || continue
		[ -e "$target" ] || [ -L "$target" ] || continue
		noted "$place" >/dev/null || is_same "$path" "$place" ||
			refuse "$target is there, and this script has not installed it: move it away first"
	done <"$work/list"
}

put() { # PATH PLACE: in one step, so that a job which starts now finds the old program or the new one
	source=$(source_of "$1")
	fresh=$destdir$2.new$$
	mode=644
	[ ! -x "$source" ] || mode=755
	if cp -P "$source" "$fresh" && { [ -L "$fresh" ] || chmod $mode "$fresh"; } && mv -f "$fresh" "$destdir$2"; then
		return 0
	fi
	rm -f "$fresh"
	refuse "$destdir$2 can't be written"
}

install_all() {
	# The folders that an earlier call has made are still its own.
	[ ! -f "$destdir$note" ] || grep '^folder ' "$destdir$note" >>"$work/note"
	[ -z "$destdir" ] || mkdir -p "$destdir" || exit 1
	while read -r kind path place; do
		note_folders "$place" || refuse "$destdir${place%/*} can't be made"
		target=$destdir$place
		case $kind in
		link)
			put "$path" "$place"
			printf 'link - %s\n' "$place" >>"$work/note"
			continue
			;;
		conf)
			old=$(noted "$place") || old=
			if [ -e "$target" ] && ! is_same "$path" "$place" && [ "$(sum_of "$target")" != "$old" ]; then
				say "kept: $target was changed here, or is not this script's; the new one is $here/files/${path#./}"
				# Still known by its old checksum: it stays a changed one.
				printf 'conf %s %s\n' "${old:--}" "$place" >>"$work/note"
				continue
			fi
			;;
		esac
		put "$path" "$place"
		printf '%s %s %s\n' "$kind" "$(sum_of "$target")" "$place" >>"$work/note"
	done <"$work/list"

	# What an older version had and this one has not.
	if [ -f "$destdir$note" ]; then
		while read -r kind sum place; do
			[ "$kind" = folder ] || grep -q "^[a-z]* [^ ]* $place\$" "$work/note" || take_away "$kind" "$sum" "$place"
		done <"$destdir$note"
	fi
	note_folders "$note" || refuse "$destdir${note%/*} can't be made"
	cp "$work/note" "$destdir$note" || refuse "$destdir$note can't be written: --uninstall will not know what to do"
}

take_away() { # KIND CHECKSUM PLACE
	target=$destdir$3
	case $1 in
	folder) [ ! -d "$target" ] || rmdir "$target" 2>/dev/null || : ;;
	conf)
		[ -e "$target" ] || return 0
		if [ "$(sum_of "$target")" = "$2" ]; then
			rm -f "$target"
		else
			say "kept: $target was changed here; remove it yourself if it is not wanted"
		fi
		;;
	*) rm -f "$target" ;;
	esac
}

uninstall_all() {
	[ -f "$destdir$note" ] ||
		refuse "nothing is noted in $destdir$note: was it installed with another --prefix or --destdir?"
	[ -w "$destdir${note%/*}" ] || refuse "can't write to $destdir${note%/*}: run this as root"
	if [ -z "$destdir" ]; then
		# rcrond waits for the jobs that run, and ends them after its stop_timeout.
		if [ -d /run/systemd/system ]; then
			systemctl stop rcrond.service >/dev/null 2>&1 || :
		elif [ -x /etc/init.d/rcrond ]; then
			/etc/init.d/rcrond stop >/dev/null 2>&1 || say "rcrond could not be stopped: it goes on until somebody does"
		fi
		! command -v systemctl >/dev/null || systemctl disable rcron-state.service rcrond.service >/dev/null 2>&1 || :
	fi
	while read -r kind sum place; do
		[ "$kind" = folder ] || take_away "$kind" "$sum" "$place"
	done <"$destdir$note"
	folders=$(sed -n 's/^folder - //p' "$destdir$note" | sort -ru)
	rm -f "$destdir$note"
	for place in $folders; do take_away folder - "$place"; done
	if [ -z "$destdir" ]; then
		for name in rcron rcrond; do
			! command -v update-rc.d >/dev/null || update-rc.d "$name" remove >/dev/null 2>&1 || :
		done
		rm -f /run/rcron.state /run/.rcron.state.* /run/rcron/rcrond.* /run/rcrond.pid
		rm -rf /run/rcron/locks
		rmdir /run/rcron 2>/dev/null || :
		[ ! -d /var/lib/rcron ] || say "kept: /var/lib/rcron has the record of runs; remove it yourself if it is not wanted"
	fi
	say "rcron is gone from $destdir$prefix. Crontab lines that name it fail from now on."
}

next_steps() {
	version=$(sed -n 's/^\.Os rcron //p' "$here/files/usr/share/man/man8/rcron.8")
	cat <<-END
		rcron $version is installed in $destdir$prefix. What is left to do:
		1. Decide about default_state in /etc/rcron/rcron.conf: passive on every machine of a group.
		2. Have the state file seeded at boot, in one of two ways:
		       systemctl enable $prefix/lib/systemd/system/rcron-state.service
		       update-rc.d rcron defaults
		3. For keepalived: $prefix/share/doc/rcron/examples/keepalived; its scripts are in /etc/keepalived/rcron.
		   For Pacemaker: ln -s $prefix/lib/ocf/resource.d/rcron /usr/lib/ocf/resource.d/rcron
		4. rcrond, where jobs shall be files of their own (rcrond(8), rcron.jobs(5)), in one of two ways:
		       systemctl enable --now $prefix/lib/systemd/system/rcrond.service
		       update-rc.d rcrond defaults && service rcrond start
		5. rcronctl doctor
	END
}

if [ "$action" = uninstall ]; then
	uninstall_all
	exit 0
fi
check_machine
prepare
check_places
install_all
next_steps
