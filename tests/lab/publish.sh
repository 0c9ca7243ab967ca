# From the raw captures of the lab to pcaps/: derived forms, compression, truth, manifest.
# Sourced by run.

. "$HERE/manifest.sh"

put() { # put NAME FORM SCENARIO TEXT: ships raw/NAME.pcap in a form, with truth and manifest line
	local raw=$LAB/raw/$1.pcap name=$NAME_PREFIX$1 form=$2 file n what
	file=$name.$form
	mkdir -p "$OUT"
	rm -f "$OUT/$name".pcap*
	case $form in
	pcap.zst) zstd -q -19 -c "$raw" >"$OUT/$file" ;;
	pcap.gz) gzip -9nc "$raw" >"$OUT/$file" ;;
	pcap.xz) xz -9c "$raw" >"$OUT/$file" ;;
	pcap) cp "$raw" "$OUT/$file" ;;
	pcapng) editcap -F pcapng "$raw" "$OUT/$file" ;;
	esac
	truth "$raw" >"$OUT/$name.truth.tsv" || return 1
	n=$(cut -f2 "$OUT/$name.truth.tsv" | grep -c '^forged$')
	what=benign; [ "$n" -gt 0 ] && what=forged:$n
	n=$(cut -f2 "$OUT/$name.truth.tsv" | grep -c '^modified$')
	[ "$n" -gt 0 ] && what=modified:$n
	manifest "$name" "$form" "$raw" "tests/lab/run ($3)" "$4" "$what"
}

derive() { # derive VERB FROM TO [ARGUMENTS]
	/usr/bin/python3 "$HERE/derive" "$1" "$LAB/raw/$2.pcap" "$LAB/raw/$3.pcap" "${@:4}"
}

DAY=benign-day
[ "${MM_SET:-main}" = main ] || DAY=benign

# make NAME: plays the scenario (or derives the capture) and ships it
make() {
	local n=$1
	case $n in
	warmup) derive shift "$DAY" warmup -20
		put warmup pcap.zst "$DAY" "$NAME_PREFIX$DAY twenty hours earlier: the sensor's warm-up" ;;
	lost-frames) derive lose benign-day lost-frames 2026 2
		put lost-frames pcap.zst benign-day "benign-day with 2 % of its frames lost" ;;
	duplicated) derive double benign-hour duplicated
		put duplicated pcap.zst benign-hour "benign-hour, every frame twice" ;;
	vlan) derive vlan benign-hour vlan
		put vlan pcap.zst benign-hour "benign-hour under 802.1Q and QinQ tags" ;;
	big-endian) derive bigendian benign-hour big-endian
		put big-endian pcap benign-hour "benign-hour, big-endian file, nanoseconds" ;;
	snaplen) editcap -s 300 -F nsecpcap "$LAB/raw/benign-hour.pcap" "$LAB/raw/snaplen.pcap"
		put snaplen pcap.zst benign-hour "benign-hour cut to 300 bytes a frame" ;;
	*) scenario "$n"
		put "$n" "$(form "$n")" "$n" "$(text "$n")" ;;
	esac
}

form() {
	case $1 in
	benign-hour) echo pcapng ;;
	honest-errors) echo pcap.gz ;;
	offload) echo pcap.xz ;;
	*) echo pcap.zst ;;
	esac
}

text() {
	case $1 in
	benign-day) echo "a working day: AS by UDP and TCP, FAST, SMB, HTTP, LDAP, RPC, S4U, two realms" ;;
	benign) echo "a shorter working day of the second lab, krbtgt kvno 2" ;;
	benign-hour) echo "a small benign capture, nanosecond pcapng" ;;
	golden-aes) echo "golden ticket, AES key, right kvno, accepted: SMB to member and DC, LDAP" ;;
	golden-rc4) echo "golden ticket under the RC4 hash, stock kvno 2: refused by the KDC" ;;
	golden-refused) echo "golden tickets refused: stock kvno, bare PAC, user who does not exist" ;;
	golden-careful) echo "golden ticket remade from an honest one: nothing odd in clear, accepted" ;;
	diamond) echo "honest TGT fetched, reopened under the krbtgt key, presented; accepted" ;;
	silver-smb) echo "silver ticket for cifs/ on the member, stock kvno 2: accepted" ;;
	silver-http) echo "silver ticket for the web service, stock kvno 2: accepted" ;;
	silver-refused) echo "silver tickets under wrong keys, SMB and HTTP: refused" ;;
	spn-substitution) echo "honest host/ ticket shown as cifs/ (clear name edited): accepted" ;;
	heimdal-golden) echo "golden ticket by kimpersonate, without a PAC: refused" ;;
	mimikatz-golden) echo "golden ticket in mimikatz's shape, RC4, realm as typed, kvno 2: refused" ;;
	samba-golden) echo "golden ticket by Samba's library, a KDC's PAC, right kvno: accepted" ;;
	rubeus-golden-kvno) echo "golden ticket in Rubeus' shape, right kvno, Rubeus' TGS-REQ: accepted" ;;
	late-sensor) echo "benign; most tickets shown were issued before the capture began" ;;
	honest-errors) echo "benign; wrong passwords, unknown names, skewed clock, expired ticket" ;;
	rekeyed-service) echo "benign; service keys changed under cached tickets, some refused" ;;
	offload) echo "benign; offloads on: frames over the MTU, partial checksums" ;;
	esac
}

SETS_main="benign-day warmup lost-frames golden-aes silver-smb benign-hour duplicated vlan
	big-endian snaplen golden-rc4 golden-refused golden-careful diamond silver-http
	silver-refused spn-substitution late-sensor offload honest-errors rekeyed-service
	heimdal-golden mimikatz-golden rubeus-golden-kvno samba-golden"
SETS_alt="benign warmup golden-aes silver-smb"
# what the scores are validated with, in labs that nothing was fitted on
SETS_forgers="benign warmup heimdal-silver-http heimdal-silver-smb heimdal-golden
	samba-golden samba-golden-desk samba-silver samba-diamond mimikatz-golden mimikatz-golden-aes
	mimikatz-silver mimikatz-silver-aes rubeus-golden rubeus-golden-aes rubeus-golden-kvno
	rubeus-silver rubeus-silver-http rubeus-diamond"

FAILED=""
all() {
	local set=SETS_${MM_SET:-main} n
	for n in ${!set}; do make "$n" || { say "$n: not shipped"; return 1; }; done
	"$HERE/check-truth" "$OUT" && [ -z "$FAILED" ]
}
