# peers.sh - one function per peer. Contract of peer_NAME:
#   called after host_up; brings up guest and gateway at MTU $MTU, publishing
#   P_IN..P_IN+NPORTS-1 (TCP and UDP) to the guest, unless PUBLISH= (none); sets
#     GW_PIDS     processes to charge (empty: kernel only)
#     TO_HOST     address by which the guest reaches servers outside
#     TO_GUEST    address by which the outside reaches published ports
#     UP_SECS     start-up time of the gateway, exec to ready
PASTA=${PASTA:-/usr/bin/pasta}
SLIRP=${SLIRP:-/usr/bin/slirp4netns}
HAVEN=${HAVEN:-/usr/local/bin/haven}
PUBLISH=${PUBLISH-$P_IN-$((P_IN + NPORTS - 1))}
PUBOUT=$P_OUT-$((P_OUT + NPORTS - 1))

timed() { # run "$@" as $BUSER on the host until it returns; sets UP_SECS
	# (clock read inside, so that this shell's own set-up is not charged)
	UP_SECS=$(huser bash -c 't=$EPOCHREALTIME; "$@" >'"$RUN/gw.log"' 2>&1 || exit 1
		u=$EPOCHREALTIME; echo $(( (${u/./} - ${t/./}) ))' _ "$@") ||
		{ cat "$RUN/gw.log" >&2; die "gateway failed: $*"; }
	UP_SECS=$(awk -v u="$UP_SECS" 'BEGIN{printf "%.4f", u/1e6}')
}

ext_addresses() { # how both sides name each other when the source is translated
	TO_GUEST=$HOST_IP TO_HOST=$EXT_IP
}

peer_loopback() {
	TOPO=lo GUEST_IS_HOST=1 TO_HOST=127.0.0.1 TO_GUEST=127.0.0.1 UP_SECS=0 GPID=$$
}

peer_kernel() { # veth, conntrack, nftables dnat and masquerade: the reference
	guest_up
	hroot ip link add v0 type veth peer name v1
	hroot ip link set v1 netns /proc/$GPID/ns/net
	hroot ip addr add 10.0.2.2/24 dev v0; hroot ip link set v0 mtu $MTU up
	groot ip addr add 10.0.2.100/24 dev v1; groot ip link set v1 mtu $MTU up
	groot ip route add default via 10.0.2.2
	hroot sysctl -qw net.ipv4.ip_forward=1
	hroot nft -f - <<-N
	table ip nat {
		chain pre { type nat hook prerouting priority -100; ip daddr $HOST_IP meta l4proto { tcp, udp } th dport $P_IN-$((P_IN + NPORTS - 1)) dnat to 10.0.2.100; }
		chain out { type nat hook output priority -100; ip daddr $HOST_IP meta l4proto { tcp, udp } th dport $P_IN-$((P_IN + NPORTS - 1)) dnat to 10.0.2.100; }
		chain post { type nat hook postrouting priority 100; ip saddr 10.0.2.0/24 oif != "v0" masquerade; }
	}
	N
	UP_SECS=0; ext_addresses
}

peer_pasta-tap() {
	local pub=${PUBLISH:-none}
	guest_up
	timed "$PASTA" --config-net -4 -m $MTU -P "$RUN/pid" --quiet \
		-t "$pub" -u "$pub" -T $PUBOUT -U $PUBOUT "$GPID"
	GW_PIDS=($(cat "$RUN/pid")); ext_addresses
}

peer_slirp() {
	local p u
	guest_up
	mkdir -m 777 "$RUN/s"
	# shellcheck disable=SC2016
	UP_SECS=$(huser bash -c 't=$EPOCHREALTIME
		"$1" -c --userns-path=/proc/$2/ns/user --netns-type=path --mtu=$3 -a "$4/s/api" -r 3 /proc/$2/ns/net tap0 \
			3>"$4/s/ready" >"$4/s/log" 2>&1 &
		echo $! >"$4/s/pid"
		while [ ! -s "$4/s/ready" ]; do read -t 0.0005 <> <(:); done
		u=$EPOCHREALTIME; awk -v a=$t -v b=$u "BEGIN{printf \"%.4f\", b-a}"' _ "$SLIRP" "$GPID" "$MTU" "$RUN")
	GW_PIDS=($(cat "$RUN/s/pid"))
	[ -z "$PUBLISH" ] ||	# one API call per port and protocol
	for p in $(seq "${PUBLISH%-*}" "${PUBLISH#*-}"); do for u in tcp udp; do
		echo '{"execute":"add_hostfwd","arguments":{"proto":"'$u'","host_addr":"0.0.0.0","host_port":'$p',"guest_port":'$p'}}'
	done; done | python3 -c '
import socket, sys
for l in sys.stdin:
    s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
    s.sendall(l.encode()); s.shutdown(1); r = s.recv(4096)
    if b"error" in r: sys.exit(r.decode())
    s.close()' "$RUN/s/api" || die "hostfwd"
	ext_addresses
}

haven_attached() { # LINK
	local pub=()
	guest_up
	[ -z "$PUBLISH" ] || pub=(-p "$PUBLISH:$PUBLISH" -p "$PUBLISH:$PUBLISH/udp")
	huser "$HAVEN" attach --link "$1" -4 --mtu $MTU "${pub[@]}" "$GPID" 2>"$RUN/gw.log" &
	PIDS+=($!)
	for _ in $(seq 500); do
		if [ -n "$(groot ip -4 route show default)" ]; then
			GW_PIDS=($(pgrep -P "${PIDS[-1]}"))
			return
		fi
		kill -0 "${PIDS[-1]}" 2>/dev/null || break
		sleep 0.01
	done
	cat "$RUN/gw.log" >&2; die "haven did not come up"
}
peer_haven-tap()  { haven_attached tap; UP_SECS=0; ext_addresses; }
peer_haven-veth() { haven_attached veth; UP_SECS=0; ext_addresses; }

peer_tapwire-gso() { # two TAPs and a frame shuttle: the bound of any TAP gateway
	guest_up
	hroot "${TAPWIRE:-$BENCH/tapwire}" gso /proc/$GPID/ns/net $MTU "$RUN/pid" &
	PIDS+=($!)
	for _ in $(seq 100); do [ -s "$RUN/pid" ] && break; sleep 0.02; done
	GW_PIDS=($(cat "$RUN/pid"))
	hroot ip addr add 10.0.2.2/24 dev tw0; hroot ip link set tw0 mtu $MTU up
	groot ip addr add 10.0.2.100/24 dev tw1; groot ip link set tw1 mtu $MTU up
	TOPO=lo TO_HOST=10.0.2.2 TO_GUEST=10.0.2.100 UP_SECS=0
}
