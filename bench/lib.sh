# lib.sh - host namespace, guest namespace, process and CPU accounting
# Sourced by bench.sh. Needs root. Everything lives in namespaces of its own.

BENCH=${BENCH:-$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)}
NB=${NB:-$BENCH/nb}
BUSER=${BUSER:-haventest}			# unprivileged user running gateways
HNS=${HNS:-pb-host}			# "host" network namespace
XNS=${XNS:-pb-ext}			# "outside" namespace, one veth away from it
HOST_IP=10.77.0.1			# host's address on that veth
HOST_GW=10.77.0.254			# host's default gateway (in $XNS)
EXT_IP=10.77.0.253			# servers outside (in $XNS)
# TOPO=ext: far end of guests' traffic is in $XNS (guest - gateway - host - veth - far)
# TOPO=lo:  far end is the host itself (loopback address on the host's side)
TOPO=${TOPO:-ext}
CC=${CC:-cubic}				# congestion control in both namespaces
P_IN=5201				# first port published into the guest
P_OUT=6201				# first host port guests connect to
NPORTS=10
RUN=$(mktemp -d /tmp/pb.XXXXXX); chmod 777 "$RUN"
PIDS=()					# everything to end at exit, by pid
GW_PIDS=()				# processes charged as "the gateway"

die() { echo "bench: $*" >&2; exit 1; }

# run as root / as $BUSER in the host namespace; as guest root in the guest
hroot()  { ip netns exec $HNS "$@"; }
huser()  { ip netns exec $HNS setpriv --reuid=$BUSER --regid=$BUSER --init-groups -- "$@"; }
xroot()  { ip netns exec $XNS "$@"; }
xuser()  { ip netns exec $XNS setpriv --reuid=$BUSER --regid=$BUSER --init-groups -- "$@"; }
far()    { if [ $TOPO = ext ]; then xuser "$@"; else huser "$@"; fi; }
guest()  { if [ -n "${GUEST_IS_HOST:-}" ]; then huser "$@"; else
	huser nsenter -t "$GPID" -U -n --preserve-credentials -- "$@"; fi; }

# clients run under a time limit, so that a hung peer is a failed measurement
limit()  { local f=$1; shift; $f timeout -k 1 "$((SECS + ${SLACK:-15}))" "$@"; }
quiet_machine() { # wait until nothing else uses the CPUs (up to 2 minutes)
	local a b c d _
	for _ in $(seq 240); do
		read -r _ a _ c d _ </proc/stat; a=$((a + c)); sleep 0.25
		read -r _ b _ c _ _ </proc/stat; b=$((b + c))
		[ $((b - a)) -le 4 ] && return; sleep 0.25
	done; NOISY=1
}

bg() { "$@" & PIDS+=($!); }

host_up() {
	ulimit -n "$(ulimit -Hn)"
	ip netns add $HNS || die "namespace $HNS exists: another bench running?"
	ip netns add $XNS
	hroot ip link set lo up
	xroot ip link set lo up
	hroot ip link add ext0 type veth peer name ext1	# MTU 1500, GSO as usual
	hroot ip link set ext1 netns $XNS
	hroot ip link set ext0 up
	xroot ip link set ext1 up
	hroot ip addr add $HOST_IP/24 dev ext0
	xroot ip addr add $EXT_IP/24 dev ext1	# first: source of what $XNS sends
	xroot ip addr add $HOST_GW/24 dev ext1
	hroot ip route add default via $HOST_GW dev ext0
	ns_tune hroot; [ -z "${HOST_WMEM:-}" ] || hroot sysctl -qw net.ipv4.tcp_wmem="$HOST_WMEM"
	ns_tune xroot
}
ns_tune() { # $1: runner
	# only algorithms on init's "allowed" list can be set in a namespace
	sysctl -n net.ipv4.tcp_allowed_congestion_control | grep -qw $CC ||
		sysctl -qw net.ipv4.tcp_allowed_congestion_control="$(sysctl -n net.ipv4.tcp_allowed_congestion_control) $CC"
	$1 sysctl -qw net.ipv4.tcp_congestion_control=$CC || die "cannot set $CC"
	$1 sh -c "sysctl -qw net.ipv4.tcp_tw_reuse=1
		sysctl -qw net.core.somaxconn=65535
		sysctl -qw net.ipv4.tcp_max_syn_backlog=65535
		sysctl -qw net.ipv4.ip_local_port_range='10000 65000'" 2>/dev/null || true
}

guest_up() { # a sleeping process in a user + network namespace of $BUSER
	huser unshare -U -r -n --fork --kill-child \
		sh -c 'ip link set lo up; echo $$ >'"$RUN/g; exec sleep 3600" &
	PIDS+=($!)
	touch "$RUN/g"; chmod 666 "$RUN/g"
	for _ in $(seq 200); do
		read -r _ <"$RUN/g" && break; sleep 0.01; done
	# unshare's child has its pid in our (unchanged) pid namespace
	GPID=$(cat "$RUN/g"); [ -n "$GPID" ] || die "no guest"
	PIDS+=("$GPID"); GNS=$(readlink /proc/$GPID/ns/net)
	ns_tune groot
}
groot() { nsenter -t "$GPID" -n "$@"; }	# initial-userns root in guest's netns

netns_pids() { # NSLINK: pids whose network namespace is NSLINK (net:[N])
	[ -n "$1" ] || return 0
	local d
	for d in /proc/[0-9]*; do
		[ "$(readlink $d/ns/net)" != "$1" ] || echo "${d#/proc/}"; done
}

cleanup() {
	local p
	[ -z "${WMEM_SAVED:-}" ] || sysctl -qw net.core.wmem_max=$WMEM_SAVED
	for p in "${PIDS[@]}" "${GW_PIDS[@]}"; do kill "$p" 2>/dev/null; done
	sleep 0.1
	for p in "${PIDS[@]}" "${GW_PIDS[@]}"; do kill -9 "$p" 2>/dev/null; done
	{ ip netns pids $HNS; ip netns pids $XNS; netns_pids "$GNS"; } 2>/dev/null | while read -r p; do kill -9 "$p" 2>/dev/null; done
	wait 2>/dev/null
	ip netns del $HNS 2>/dev/null; ip netns del $XNS 2>/dev/null
	rm -rf "$RUN"
}

# --- CPU accounting --------------------------------------------------------
# snap FILE: gateway user/sys ticks and precise on-CPU ns, machine busy ticks
snap() {
	local u=0 s=0 ns=0 p a f out=$1
	for p in "${GW_PIDS[@]}"; do
		if [ -r "/proc/$p/stat" ]; then
			read -r a <"/proc/$p/stat"; set -- ${a##*) }
			u=$((u + ${12})); s=$((s + ${13}))
		fi
		for f in /proc/$p/task/*/schedstat; do
			[ -r "$f" ] && read -r a _ <"$f" && ns=$((ns + a))
		done
	done
	set -- $(head -1 /proc/stat)
	# user nice system irq softirq | steal
	echo "$u $s $ns $(($2 + $3 + $4 + $7 + $8)) $9 $EPOCHREALTIME" >"$out"
}
# snapdiff A B -> JSON fields: gw_cpu (s), gw_user, gw_sys, cpu (s), steal (s)
snapdiff() {
	paste -d' ' "$1" "$2" | awk '{printf "\"gw_cpu\":%.4f,\"gw_user\":%.2f,\"gw_sys\":%.2f,\"cpu\":%.2f,\"steal\":%.2f,\"wall\":%.3f",
		($9-$3)/1e9, ($7-$1)/100, ($8-$2)/100, ($10-$4)/100, ($11-$5)/100, $12-$6}'
}
rss() { # kB of all gateway processes: RSS and PSS
	local p r=0 s=0 x
	for p in "${GW_PIDS[@]}"; do
		x=$(awk '/^Rss:/{r=$2} /^Pss:/{p=$2} END{print r+0, p+0}' "/proc/$p/smaps_rollup" 2>/dev/null)
		set -- $x; r=$((r + ${1:-0})); s=$((s + ${2:-0}))
	done
	echo "$r $s"
}
wait_listen() { # RUNNER PORT
	for _ in $(seq 500); do
		$1 ss -Hltn "sport = :$2" | grep -q . && return; sleep 0.01
	done; echo "bench: nothing listens on $2" >&2; return 1
}
emit() { # FIELDS...: one JSON line with the common keys
	local IFS=,
	echo "{\"peer\":\"$PEER\",\"wl\":\"$WL\",\"mtu\":$MTU,\"topo\":\"$TOPO\",\"cc\":\"$CC\",\"rep\":${REP:-0},\"noisy\":${NOISY:-0},\"t\":$EPOCHSECONDS${*:+,$*}}"
}
