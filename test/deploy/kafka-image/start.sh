#!/bin/bash
# start.sh: what apache/kafka does with its environment: KAFKA_LOG_DIRS=… is the property log.dirs, a fresh folder is formatted.
set -euo pipefail
config=/tmp/server.properties
compgen -e KAFKA_ | while read -r name; do
  [ "$name" = KAFKA_HEAP_OPTS ] && continue
  key=${name#KAFKA_}
  key=${key,,}
  printf '%s=%s\n' "${key//_/.}" "${!name}"
done >"$config"
java=(/opt/jvm/bin/java -XX:+UseSerialGC -cp '/opt/kafka/libs/*')
"${java[@]}" -Xmx128m -XX:TieredStopAtLevel=1 kafka.tools.StorageTool format --ignore-formatted -t 4L6g3nShT-eMCtK--X86sw -c "$config"
exec "${java[@]}" "${KAFKA_HEAP_OPTS:--Xmx512m}" kafka.Kafka "$config"
