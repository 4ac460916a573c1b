# Whether Envoy is ready, asked of its administration interface: that is served by the main thread, however busy the workers are.
port=$1

exec 3<>"/dev/tcp/127.0.0.1/$port" || exit 1
printf 'GET /ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n' >&3
read -r _ status _ <&3
[ "$status" = 200 ]
