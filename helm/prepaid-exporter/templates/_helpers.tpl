{{- /* The name of every object. Each template asks for it first, so a value that is missing is told here. */ -}}
{{- define "prepaid-exporter.fullname" -}}
{{- include "prepaid-exporter.refuseNulls" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- /* Refuse null for what has to be there: Helm drops a default that is set to null before the schema sees it. */ -}}
{{- define "prepaid-exporter.refuseNulls" -}}
{{- $needed := list
  "commonLabels" "config" "config.defaults" "demo" "image" "livenessProbe" "log" "probe" "prometheusRule"
  "prometheusRule.alertLabels" "prometheusRule.alerts" "prometheusRule.exporterUrl" "prometheusRule.grafanaUrl" "providers" "readinessProbe"
  "scrapeConfig" "service" "service.port" "serviceAccount" "serviceAccount.create" "serviceMonitor" "webConfig"
  "webConfig.tls"
-}}
{{- range $path := $needed -}}
  {{- $value := $.Values -}}
  {{- range splitList "." $path -}}
    {{- $value = index $value . -}}
  {{- end -}}
  {{- if kindIs "invalid" $value -}}
    {{- fail (printf "%s: must not be null; leave it out for the default" $path) -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{- define "prepaid-exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "prepaid-exporter.labels" -}}
{{ include "prepaid-exporter.labelsWith" (list . dict) }}
{{- end -}}

{{- /* Labels of an object with more of its own. What selects the pods is never replaced. Input: root, labels. */ -}}
{{- define "prepaid-exporter.labelsWith" -}}
{{- $root := index . 0 -}}
{{- $standard := dict
  "app.kubernetes.io/version" $root.Chart.AppVersion
  "app.kubernetes.io/managed-by" $root.Release.Service
  "app.kubernetes.io/part-of" "prepaid-exporter"
  "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
-}}
{{- $selector := include "prepaid-exporter.selectorLabels" $root | fromYaml -}}
{{- merge $selector (index . 1) $root.Values.commonLabels $standard | toYaml -}}
{{- end -}}

{{- /* Name, namespace and labels of an object of the Prometheus operator or of Grafana's sidecar.
Input: root and values (the section with namespace and labels), optionally suffix. */ -}}
{{- define "prepaid-exporter.monitoringMetadata" -}}
name: {{ include "prepaid-exporter.fullname" .root }}{{ with .suffix }}-{{ . }}{{ end }}
namespace: {{ .values.namespace | default .root.Release.Namespace }}
labels:
  {{- include "prepaid-exporter.labelsWith" (list .root .values.labels) | nindent 2 }}
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

{{- /* The job label, the same whichever way Prometheus comes: one of its own for each release, since rules tell exporters
apart by it, and with "prepaid" in it, by which the alerts on the exporter itself find its targets. */ -}}
{{- define "prepaid-exporter.job" -}}
{{- $name := include "prepaid-exporter.fullname" . -}}
{{- ternary $name (printf "prepaid-%s" $name) (contains "prepaid" $name) -}}
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

{{- /* The chart's files under a pattern, as a list of paths in JSON. They are links to the project's `grafana` folder, which
some ways of copying the chart do not follow. Input: root, pattern, the section that needs them. */ -}}
{{- define "prepaid-exporter.files" -}}
{{- $paths := list -}}
{{- range $path, $_ := (index . 0).Files.Glob (index . 1) -}}
  {{- $paths = append $paths $path -}}
{{- end -}}
{{- if not $paths -}}
  {{- fail (printf "%s.enabled: the chart's files are missing, so its links were not followed when it was copied; take it from the registry, or from a checkout" (index . 2)) -}}
{{- end -}}
{{- toJson $paths -}}
{{- end -}}

{{- /* An extra manifest as a template. Text is one; in a mapping only what names the chart's own things is rendered, since
others, such as rules and external secrets, have templates of their own. */ -}}
{{- define "prepaid-exporter.manifest" -}}
{{- if kindIs "string" . -}}
{{- . -}}
{{- else -}}
{{- $text := toYaml . | replace "{{" "\u0001" | replace "}}" "\u0002" -}}
{{- $ours := "\u0001([^\u0001\u0002]*(\\.(Release|Values|Chart|Capabilities|Template)\\b|\\binclude\\b)[^\u0001\u0002]*)\u0002" -}}
{{- $text = regexReplaceAll $ours $text "{{${1}}}" -}}
{{- $text = $text | replace "\u0001" "{{ \"{{\" }}" | replace "\u0002" "{{ \"}}\" }}" -}}
{{- $text -}}
{{- end -}}
{{- end -}}
