{{- define "tapewatch.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Call with (dict "root" $ "component" "detect"). */}}
{{- define "tapewatch.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "tapewatch.labels" -}}
{{ include "tapewatch.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "tapewatch.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}{{- else -}}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{- end -}}
{{- end -}}
{{- end -}}

{{/* What the schema can't say. */}}
{{- define "tapewatch.check" -}}
{{- if not .Values.kafka.brokers -}}
{{- fail "kafka.brokers is required: the host:port of your brokers (deploy/minikube has a single-node Kafka to start with)." -}}
{{- end -}}
{{- $partitions := int .Values.settings.partitions -}}
{{- with .Values.autoscaling -}}
{{- if ne .mode "off" -}}
{{- if gt (int .maxReplicas) $partitions -}}
{{- fail (printf "autoscaling.maxReplicas is %d, but the topics have %d partitions (settings.partitions): more replicas would have no work." (int .maxReplicas) $partitions) -}}
{{- end -}}
{{- if gt (int .minReplicas) (int .maxReplicas) -}}
{{- fail "autoscaling.minReplicas is above autoscaling.maxReplicas." -}}
{{- end -}}
{{- end -}}
{{- if and (eq .mode "keda") (eq $.Values.kafka.sasl.mechanism "oauthbearer") -}}
{{- fail "KEDA can't read lag with a token file (kafka.sasl.mechanism oauthbearer): use autoscaling.mode hpa." -}}
{{- end -}}
{{- end -}}
{{- range list "capture" "detect" -}}
{{- if gt (int (index $.Values .).replicas) $partitions -}}
{{- fail (printf "%s.replicas is %d, but the topics have %d partitions (settings.partitions): more replicas would have no work." . (int (index $.Values .).replicas) $partitions) -}}
{{- end -}}
{{- end -}}
{{- with .Values.kafka -}}
{{- if and (ne .sasl.mechanism "none") (not .sasl.secret) -}}
{{- fail (printf "kafka.sasl.mechanism is %s: name the secret with the password or token in kafka.sasl.secret." .sasl.mechanism) -}}
{{- end -}}
{{- if and .tls.clientCertificate (not .tls.secret) -}}
{{- fail "kafka.tls.clientCertificate needs kafka.tls.secret, with tls.crt and tls.key." -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "tapewatch.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .Values.podSecurity.runAsUser }}
runAsGroup: {{ .Values.podSecurity.runAsGroup }}
fsGroup: {{ .Values.podSecurity.runAsGroup }}
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "tapewatch.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: { drop: [ALL] }
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{/* Settings as variables; what a role does not use is checked all the same. */}}
{{- define "tapewatch.settings" -}}
{{- range $key, $value := .Values.settings }}
- name: TAPEWATCH_{{ $key | upper | replace "-" "_" }}
  value: {{ if kindIs "slice" $value }}{{ join "," $value | quote }}{{ else }}{{ $value | toString | quote }}{{ end }}
{{- end }}
- name: TAPEWATCH_KAFKA
  value: {{ join "," .Values.kafka.brokers | quote }}
{{- with .Values.kafka.tls }}
{{- if or .enabled .secret }}
- name: TAPEWATCH_KAFKA_TLS
  value: 'on'
{{- end }}
{{- if .secret }}
- name: TAPEWATCH_KAFKA_TLS_CA
  value: /etc/tapewatch/kafka-tls/ca.crt
{{- end }}
{{- if .clientCertificate }}
- name: TAPEWATCH_KAFKA_TLS_CERT
  value: /etc/tapewatch/kafka-tls/tls.crt
- name: TAPEWATCH_KAFKA_TLS_KEY
  value: /etc/tapewatch/kafka-tls/tls.key
{{- end }}
{{- end }}
{{- with .Values.kafka.sasl }}
{{- if ne .mechanism "none" }}
- name: TAPEWATCH_KAFKA_SASL
  value: {{ .mechanism }}
{{- if eq .mechanism "oauthbearer" }}
- name: TAPEWATCH_KAFKA_TOKEN_FILE
  value: /etc/tapewatch/kafka-sasl/{{ .key }}
{{- else }}
- name: TAPEWATCH_KAFKA_USERNAME
  value: {{ .username | quote }}
- name: TAPEWATCH_KAFKA_PASSWORD_FILE
  value: /etc/tapewatch/kafka-sasl/{{ .key }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "tapewatch.volumes" -}}
- name: tmp
  emptyDir: { sizeLimit: 64Mi }
{{- if .Values.kafka.tls.secret }}
- name: kafka-tls
  secret: { secretName: {{ .Values.kafka.tls.secret }}, defaultMode: 0440 }
{{- end }}
{{- if ne .Values.kafka.sasl.mechanism "none" }}
- name: kafka-sasl
  secret: { secretName: {{ .Values.kafka.sasl.secret }}, defaultMode: 0440 }
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "tapewatch.mounts" -}}
- { name: tmp, mountPath: /tmp }
{{- if .Values.kafka.tls.secret }}
- { name: kafka-tls, mountPath: /etc/tapewatch/kafka-tls, readOnly: true }
{{- end }}
{{- if ne .Values.kafka.sasl.mechanism "none" }}
- { name: kafka-sasl, mountPath: /etc/tapewatch/kafka-sasl, readOnly: true }
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Started: it listens. Alive: the event loop turns. Ready: assigned, restored, copied; an exchange outage changes none of them. */}}
{{- define "tapewatch.probes" -}}
startupProbe:
  httpGet: { path: /healthz, port: http }
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: { path: /healthz, port: http }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
  # What hangs does not hear that it shall stop: no use in waiting for the pod's whole grace.
  terminationGracePeriodSeconds: 5
readinessProbe:
  httpGet: { path: /readyz, port: http }
  periodSeconds: 5
  timeoutSeconds: 2
  failureThreshold: 2
{{- end -}}

{{/* Where pods go, and how they end. */}}
{{- define "tapewatch.scheduling" -}}
{{- $its := index .root.Values .component -}}
serviceAccountName: {{ include "tapewatch.fullname" .root }}-{{ .component }}
automountServiceAccountToken: false
# A service named tapewatch would otherwise set TAPEWATCH_PORT to a URL.
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .root.Values.terminationGracePeriodSeconds }}
securityContext:
  {{- include "tapewatch.podSecurity" .root | nindent 2 }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "tapewatch.selector" $ | nindent 8 }}
  {{- end }}
{{- with $its.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $its.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $its.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
