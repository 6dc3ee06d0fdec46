#!/bin/bash
# Whether the node in this container is ready. In Bash, because starting Node every few seconds would cost more than an idle
# node, and the image has no curl.
address=${HOST:-127.0.0.1}
case $address in 0.0.0.0 | ::) address=127.0.0.1 ;; esac
exec 3<> "/dev/tcp/$address/${PORT:-4000}" || exit 1
printf 'GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
read -r _ status _ <&3
[ "$status" = 200 ]
