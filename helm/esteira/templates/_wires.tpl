{{/*
What a service is told, and the files it is told it by. Everything that may hold a secret comes by a file under
/etc/esteira; the URLs there have no password in them and come of a ConfigMap.
*/}}
{{- define "esteira.pgUrl" -}}
{{- $pg := .root.Values.postgres -}}
{{- $ca := ternary "&sslrootcert=/etc/esteira/ca/postgres.crt" "" (ne $pg.ca.existingSecret "") -}}
{{ printf "postgresql://%s@%s:%d/%s?sslmode=%s%s" .role .host (int .port) $pg.database $pg.sslmode $ca }}
{{- end }}

{{/* The ConfigMap's data. */}}
{{- define "esteira.urls" -}}
{{- $values := .root.Values -}}
{{- $pg := $values.postgres -}}
pg-url: {{ include "esteira.pgUrl" (dict "root" .root "role" (printf "esteira_%s" .name) "host" $pg.host "port" $pg.port) }}
pg-frame-url: {{ include "esteira.pgUrl" (dict "root" .root "role" (printf "esteira_frame_%s" .name) "host" $pg.host "port" $pg.port) }}
{{- if and $pg.pooler.host (has "http" .service.wires) }}
pg-request-url: {{ include "esteira.pgUrl" (dict "root" .root "role" (printf "esteira_%s" .name) "host" $pg.pooler.host "port" $pg.pooler.port) }}
{{- end }}
{{- if has "redis" .service.wires }}
redis-url: {{ printf "%s://%s:%d/%d" (ternary "rediss" "redis" $values.redis.tls) $values.redis.host (int $values.redis.port) (int $values.redis.database) }}
{{- end }}
{{- end }}

{{/* Keys of the service's own Secret. */}}
{{- define "esteira.secretKeys" -}}
{{- $keys := list "pg-password" "pg-frame-password" -}}
{{- $wires := .service.wires -}}
{{- if has "redis" $wires }}{{ $keys = append $keys "redis-password" }}{{ end -}}
{{- if has "s3Keys" $wires }}{{ $keys = concat $keys (list "s3-access-key" "s3-secret-key") }}{{ end -}}
{{- if has "seal" $wires }}{{ $keys = concat $keys (include "esteira.sealKeys" .root | fromJsonArray) }}{{ end -}}
{{ toJson $keys }}
{{- end }}

{{/* Authorities: wire -> {existingSecret, key}. */}}
{{- define "esteira.authorities" -}}
{{- $values := .root.Values -}}
{{- $all := dict "postgres" $values.postgres.ca -}}
{{- if ne $values.kafka.security "plaintext" }}{{ $_ := set $all "kafka" $values.kafka.ca }}{{ end -}}
{{- if and (has "redis" .service.wires) $values.redis.tls }}{{ $_ := set $all "redis" $values.redis.ca }}{{ end -}}
{{- if has "s3" .service.wires }}{{ $_ := set $all "s3" $values.s3.ca }}{{ end -}}
{{- if and (has "seal" .service.wires) (eq $values.seal.mode "transit") }}{{ $_ := set $all "seal-transit" $values.seal.transit.ca }}{{ end -}}
{{- if eq .name "outreach" }}{{ $_ := set $all "outreach" $values.outreachCa }}{{ end -}}
{{- if and (has "http" .service.wires) $values.http.clientCaSecret }}{{ $_ := set $all "http-client" (dict "existingSecret" $values.http.clientCaSecret "key" "ca.crt") }}{{ end -}}
{{- if $values.traces.endpoint }}{{ $_ := set $all "traces" $values.traces.ca }}{{ end -}}
{{- range $wire, $ca := $all }}{{ if not $ca.existingSecret }}{{ $_ := unset $all $wire }}{{ end }}{{ end -}}
{{ toJson $all }}
{{- end }}

{{/* Sources of the one projected volume, mounted at /etc/esteira. */}}
{{- define "esteira.sources" -}}
{{- $values := .root.Values -}}
- configMap:
    name: {{ include "esteira.name" . }}
- secret:
    name: {{ include "esteira.of" (dict "pattern" $values.secrets.existingSecret "name" .name) }}
    items:
      {{- range include "esteira.secretKeys" . | fromJsonArray }}
      - {key: {{ . }}, path: {{ . }}}
      {{- end }}
{{- if ne $values.kafka.security "plaintext" }}
{{ include "esteira.kafkaSource" (dict "root" .root "secret" (include "esteira.of" (dict "pattern" $values.kafka.existingSecret "name" .name))) }}
{{- end }}
{{- range $wire, $ca := include "esteira.authorities" . | fromJson }}
- secret:
    name: {{ include "esteira.of" (dict "pattern" $ca.existingSecret "name" $.name) }}
    items:
      - {key: {{ $ca.key }}, path: ca/{{ $wire }}.crt}
{{- end }}
{{- if and $values.traces.endpoint $values.traces.headers.existingSecret }}
- secret:
    name: {{ include "esteira.of" (dict "pattern" $values.traces.headers.existingSecret "name" .name) }}
    items:
      - {key: {{ $values.traces.headers.key }}, path: traces/headers}
{{- end }}
{{- if and (has "http" .service.wires) $values.http.tlsSecret }}
- secret:
    name: {{ $values.http.tlsSecret }}
    items:
      - {key: tls.crt, path: http/tls.crt}
      - {key: tls.key, path: http/tls.key}
{{- end }}
{{- end }}

{{/* Who a service is to Kafka: the prefix of its topics without the last dot, and its name (docs/secure.md). */}}
{{- define "esteira.principal" -}}
{{ printf "%s-%s" (trimSuffix "." .root.Values.kafka.topicPrefix) .name }}
{{- end }}

{{/* What reaches Kafka is told: (dict "root" $ "user" PRINCIPAL) -> name -> value, as JSON. */}}
{{- define "esteira.kafkaEnv" -}}
{{- $kafka := .root.Values.kafka -}}
{{- $dir := "/etc/esteira" -}}
{{- $env := dict
      "ESTEIRA_KAFKA_BROKERS" $kafka.brokers
      "ESTEIRA_KAFKA_TOPIC_PREFIX" $kafka.topicPrefix
      "ESTEIRA_KAFKA_SECURITY" $kafka.security
      "ESTEIRA_TOPICS_PARTITIONS" (toString (int $kafka.partitions))
      "ESTEIRA_TOPICS_OCR_PARTITIONS" (toString (int $kafka.ocrPartitions)) -}}
{{- if eq $kafka.security "ssl" -}}
{{- $_ := set $env "ESTEIRA_KAFKA_CERT_FILE" (printf "%s/kafka/cert.pem" $dir) -}}
{{- $_ := set $env "ESTEIRA_KAFKA_KEY_FILE" (printf "%s/kafka/key.pem" $dir) -}}
{{- else if eq $kafka.security "sasl_ssl" -}}
{{- $_ := set $env "ESTEIRA_KAFKA_SASL_MECHANISM" $kafka.saslMechanism -}}
{{- $_ := set $env "ESTEIRA_KAFKA_SASL_USER" .user -}}
{{- $_ := set $env "ESTEIRA_KAFKA_SASL_PASSWORD_FILE" (printf "%s/kafka/password" $dir) -}}
{{- end -}}
{{ toJson $env }}
{{- end }}

{{/* Its files: (dict "root" $ "secret" NAME) */}}
{{- define "esteira.kafkaSource" -}}
{{- $kafka := .root.Values.kafka -}}
- secret:
    name: {{ .secret }}
    items:
      {{- if eq $kafka.security "ssl" }}
      - {key: {{ $kafka.keys.cert }}, path: kafka/cert.pem}
      - {key: {{ $kafka.keys.key }}, path: kafka/key.pem}
      {{- else }}
      - {key: {{ $kafka.keys.password }}, path: kafka/password}
      {{- end }}
{{- end }}

{{/* What opens tenants' keys is told; the context is the root. */}}
{{- define "esteira.sealEnv" -}}
{{- $seal := .Values.seal -}}
{{- $dir := "/etc/esteira" -}}
{{- $env := dict -}}
{{- if eq $seal.mode "file" -}}
{{- $_ := set $env "ESTEIRA_SEAL_MASTER_FILE" (printf "%s/seal-master" $dir) -}}
{{- else -}}
{{- $_ := set $env "ESTEIRA_SEAL_TRANSIT_URL" $seal.transit.url -}}
{{- $_ := set $env "ESTEIRA_SEAL_TRANSIT_MOUNT" $seal.transit.mount -}}
{{- $_ := set $env "ESTEIRA_SEAL_TRANSIT_KEY" $seal.transit.key -}}
{{- $_ := set $env "ESTEIRA_SEAL_TRANSIT_TOKEN_FILE" (printf "%s/seal-transit-token" $dir) -}}
{{- end -}}
{{- if $seal.hasOldMaster }}{{ $_ := set $env "ESTEIRA_SEAL_MASTER_OLD_FILE" (printf "%s/seal-master-old" $dir) }}{{ end -}}
{{ toJson $env }}
{{- end }}

{{/* The keys of a Secret that it needs for that; the context is the root. */}}
{{- define "esteira.sealKeys" -}}
{{- $keys := list (ternary "seal-master" "seal-transit-token" (eq .Values.seal.mode "file")) -}}
{{- if .Values.seal.hasOldMaster }}{{ $keys = append $keys "seal-master-old" }}{{ end -}}
{{ toJson $keys }}
{{- end }}

{{/* name -> value of the environment, as JSON. Set by the chart; `config` comes over it. */}}
{{- define "esteira.env" -}}
{{- $values := .root.Values -}}
{{- $wires := .service.wires -}}
{{- $dir := "/etc/esteira" -}}
{{- $env := dict
      "ESTEIRA_ADMIN_LISTEN" "0.0.0.0:9464"
      "ESTEIRA_DRAIN_MS" (toString (int $values.drainMs))
      "ESTEIRA_PG_URL_FILE" (printf "%s/pg-url" $dir)
      "ESTEIRA_PG_PASSWORD_FILE" (printf "%s/pg-password" $dir)
      "ESTEIRA_PG_FRAME_URL_FILE" (printf "%s/pg-frame-url" $dir)
      "ESTEIRA_PG_FRAME_PASSWORD_FILE" (printf "%s/pg-frame-password" $dir) -}}
{{- $_ := mergeOverwrite $env (include "esteira.kafkaEnv" (dict "root" .root "user" (include "esteira.principal" .)) | fromJson) -}}
{{- if has "redis" $wires -}}
{{- $_ := set $env "ESTEIRA_REDIS_URL_FILE" (printf "%s/redis-url" $dir) -}}
{{- $_ := set $env "ESTEIRA_REDIS_PASSWORD_FILE" (printf "%s/redis-password" $dir) -}}
{{- end -}}
{{- if has "s3" $wires }}{{ $_ := set $env "ESTEIRA_S3_ENDPOINT" $values.s3.endpoint }}{{ end -}}
{{- if has "s3Keys" $wires -}}
{{- $_ := set $env "ESTEIRA_S3_BUCKET" $values.s3.bucket -}}
{{- $_ := set $env "ESTEIRA_S3_REGION" $values.s3.region -}}
{{- $_ := set $env "ESTEIRA_S3_ACCESS_KEY_FILE" (printf "%s/s3-access-key" $dir) -}}
{{- $_ := set $env "ESTEIRA_S3_SECRET_KEY_FILE" (printf "%s/s3-secret-key" $dir) -}}
{{- end -}}
{{- if has "seal" $wires }}{{ $_ := mergeOverwrite $env (include "esteira.sealEnv" .root | fromJson) }}{{ end -}}
{{- if has "http" $wires -}}
{{- $_ := set $env "ESTEIRA_HTTP_LISTEN" "0.0.0.0:8080" -}}
{{- with $values.http.proxies }}{{ $_ := set $env "ESTEIRA_HTTP_PROXIES" . }}{{ end -}}
{{- if $values.http.tlsSecret -}}
{{- $_ := set $env "ESTEIRA_HTTP_TLS_CERT_FILE" (printf "%s/http/tls.crt" $dir) -}}
{{- $_ := set $env "ESTEIRA_HTTP_TLS_KEY_FILE" (printf "%s/http/tls.key" $dir) -}}
{{- end -}}
{{- if $values.postgres.pooler.host }}{{ $_ := set $env "ESTEIRA_PG_REQUEST_URL_FILE" (printf "%s/pg-request-url" $dir) }}{{ end -}}
{{- end -}}
{{- with $values.traces -}}
{{- if .endpoint -}}
{{- $_ := set $env "ESTEIRA_OTLP_ENDPOINT" .endpoint -}}
{{- $_ := set $env "ESTEIRA_OTLP_RATIO" (toString .sampleRatio) -}}
{{- if .headers.existingSecret }}{{ $_ := set $env "ESTEIRA_OTLP_HEADERS_FILE" (printf "%s/traces/headers" $dir) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- $names := dict "kafka" "ESTEIRA_KAFKA_CA_FILE" "redis" "ESTEIRA_REDIS_CA_FILE" "s3" "ESTEIRA_S3_CA_FILE"
      "seal-transit" "ESTEIRA_SEAL_TRANSIT_CA_FILE" "outreach" "ESTEIRA_OUTREACH_CA_FILE"
      "traces" "ESTEIRA_OTLP_CA_FILE" "http-client" "ESTEIRA_HTTP_TLS_CLIENT_CA_FILE" -}}
{{- range $wire, $_ca := include "esteira.authorities" . | fromJson -}}
{{- with get $names $wire }}{{ $_ := set $env . (printf "%s/ca/%s.crt" $dir $wire) }}{{ end -}}
{{- end -}}
{{ toJson (mergeOverwrite $env (deepCopy $values.config) (deepCopy (.service.config | default dict))) }}
{{- end }}
