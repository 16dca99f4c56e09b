{{- define "prepaid-exporter.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "prepaid-exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "prepaid-exporter.labels" -}}
{{ include "prepaid-exporter.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: prepaid-exporter
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* Name, namespace and labels of an object of the Prometheus operator or of Grafana's sidecar.
Input: root and values (the section with namespace and labels), optionally suffix. */ -}}
{{- define "prepaid-exporter.monitoringMetadata" -}}
name: {{ include "prepaid-exporter.fullname" .root }}{{ with .suffix }}-{{ . }}{{ end }}
namespace: {{ .values.namespace | default .root.Release.Namespace }}
labels:
  {{- include "prepaid-exporter.labels" .root | nindent 2 }}
  {{- with .values.labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "prepaid-exporter.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (ternary (include "prepaid-exporter.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{- define "prepaid-exporter.image" -}}
{{- with .Values.image -}}
{{- .repository -}}{{- if .digest -}}@{{ .digest }}{{- else -}}:{{ .tag | default $.Chart.AppVersion }}{{- end -}}
{{- end -}}
{{- end -}}

{{- define "prepaid-exporter.scheme" -}}
{{- ternary "https" "http" .Values.webConfig.tls -}}
{{- end -}}

{{- define "prepaid-exporter.address" -}}
{{- printf "%s.%s.svc:%v" (include "prepaid-exporter.fullname" .) .Release.Namespace .Values.service.port -}}
{{- end -}}

{{- /* The job label, the same whichever way Prometheus comes. */ -}}
{{- define "prepaid-exporter.job" -}}
{{- .Values.nameOverride | default .Chart.Name -}}
{{- end -}}

{{- define "prepaid-exporter.scrapeCredentials" -}}
{{- with .tlsConfig }}
tlsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .basicAuth }}
basicAuth:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
