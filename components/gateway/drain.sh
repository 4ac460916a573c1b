# Runs before SIGTERM, on which Envoy would cut every stream. Answers carry `connection: close` from now on, so that clients go to
# other replicas; then it waits until nothing is in flight, or for as long as it may.
port=$1 seconds=$2

administer() {
  exec 3<>"/dev/tcp/127.0.0.1/$port"
  printf '%s %s HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 0\r\n\r\n' "$1" "$2" >&3
  cat <&3
  exec 3>&-
}

administer POST '/drain_listeners?graceful&skip_exit' >/dev/null
# Requests still arrive until every node and load balancer knows that this pod leaves.
sleep "$((seconds < 10 ? seconds : 10))"
while [ "$SECONDS" -lt "$seconds" ]; do
  case $(administer GET '/stats?filter=^http.front.downstream_rq_active$') in
    *'downstream_rq_active: 0'*) exit 0 ;;
  esac
  sleep 1
done
