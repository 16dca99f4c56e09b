{{- define "prepaid-exporter.args" -}}
{{- if .Values.demo.enabled }}
- demo
- --web.listen-address=:10710
{{- else }}
- serve
- --config.file=/etc/prepaid-exporter/prepaid.yml
- --web.listen-address=:10710
{{- if .Values.webConfig.existingSecret }}
- --web.config.file=/etc/prepaid-exporter-web/{{ .Values.webConfig.key }}
{{- end }}
{{- if .Values.enableLifecycle }}
- --web.enable-lifecycle
{{- end }}
{{- if or .Values.probe.enabled .Values.scrapeConfig.enabled }}
- --no-metrics.accounts
{{- end }}
{{- end }}
- --log.level={{ .Values.log.level }}
- --log.format={{ .Values.log.format }}
{{- with .Values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* How the kubelet asks at a path: by HTTP, or by connecting alone where a client needs a certificate. Users need not be
thought of: the exporter answers at these paths without one. */ -}}
{{- define "prepaid-exporter.probeHandler" -}}
{{- if .root.Values.webConfig.clientCertificates -}}
tcpSocket:
  port: http
{{- else -}}
httpGet:
  path: {{ .path }}
  port: http
  scheme: {{ include "prepaid-exporter.scheme" .root | upper }}
{{- end -}}
{{- end -}}

{{- /* The sources of the one volume at /etc/prepaid-exporter. The secrets are optional, so that one that is missing
is told by the exporter, for that account, with a path that names the secret and its entry. */ -}}
{{- define "prepaid-exporter.configSources" -}}
- configMap:
    name: {{ include "prepaid-exporter.fullname" . }}
    items:
      - key: prepaid.yml
        path: prepaid.yml
      {{- range $name, $_ := .Values.providers }}
      - key: provider-{{ $name }}.yml
        path: providers/{{ $name }}.yml
      {{- end }}
{{- range $secret, $entries := (include "prepaid-exporter.config" . | fromJson).secrets }}
- secret:
    name: {{ $secret }}
    optional: true
    items:
      {{- range $entries }}
      - key: {{ . | quote }}
        path: {{ printf "secrets/%s/%s" $secret . | quote }}
      {{- end }}
{{- end }}
{{- end -}}

{{- define "prepaid-exporter.volumes" -}}
{{- if .Values.demo.enabled }}
- name: tmp
  emptyDir:
    sizeLimit: 1Mi
{{- else }}
- name: config
  projected:
    defaultMode: 0440
    sources:
      {{- include "prepaid-exporter.configSources" . | trim | nindent 6 }}
{{- end }}
{{- with .Values.webConfig }}
{{- if .existingSecret }}
- name: web
  projected:
    defaultMode: 0440
    sources:
      - secret:
          name: {{ .existingSecret }}
      {{- if .certificateSecret }}
      - secret:
          name: {{ .certificateSecret }}
      {{- end }}
{{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "prepaid-exporter.volumeMounts" -}}
{{- if .Values.demo.enabled }}
- name: tmp
  mountPath: /tmp
{{- else }}
- name: config
  mountPath: /etc/prepaid-exporter
  readOnly: true
{{- end }}
{{- if .Values.webConfig.existingSecret }}
- name: web
  mountPath: /etc/prepaid-exporter-web
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}
