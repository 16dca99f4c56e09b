{{- /* The shipped rule groups with the changes that the values ask for, as JSON. What Prometheus itself fills in
(`{{ $labels.x }}`) passes as it stands, since the files are read and not rendered. */ -}}
{{- define "prepaid-exporter.ruleGroups" -}}
{{- $groups := list -}}
{{- $known := list -}}
{{- if hasKey .Values.prometheusRule.alertLabels "severity" -}}
  {{- fail "prometheusRule.alertLabels.severity: would page for every alert alike; set prometheusRule.alerts.NAME.severity" -}}
{{- end -}}
{{- range $path := include "prepaid-exporter.files" (list . "files/rules/*.yml" "prometheusRule") | fromJsonArray -}}
  {{- range ($.Files.Get $path | fromYaml).groups -}}
    {{- $rules := list -}}
    {{- range .rules -}}
      {{- $change := dict -}}
      {{- if .alert -}}
        {{- $known = append $known .alert -}}
        {{- $change = get $.Values.prometheusRule.alerts .alert | default dict -}}
      {{- end -}}
      {{- if ne (get $change "enabled" | toString) "false" -}}
        {{- $rules = append $rules (include "prepaid-exporter.rule" (list $.Values.prometheusRule . $change $.Release.Namespace) | fromJson) -}}
      {{- end -}}
    {{- end -}}
    {{- if $rules -}}
      {{- $groups = append $groups (set . "rules" $rules) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- range $name, $_ := .Values.prometheusRule.alerts -}}
  {{- if not (has $name $known) -}}
    {{- fail (printf "prometheusRule.alerts.%s: there is no such alert; there are %s" $name ($known | uniq | join ", ")) -}}
  {{- end -}}
{{- end -}}
{{- dict "groups" $groups | toJson -}}
{{- end -}}

{{- /* One rule with its change, as JSON. An alert has a namespace, by which an
AlertmanagerConfig finds it: that of its series, else the release's. Input: prometheusRule, rule, change, namespace. */ -}}
{{- define "prepaid-exporter.rule" -}}
{{- $settings := index . 0 -}}
{{- $rule := index . 1 -}}
{{- $change := index . 2 -}}
{{- if $rule.alert -}}
  {{- $place := dict "namespace" (printf "{{ with $labels.namespace }}{{ . }}{{ else }}%s{{ end }}" (index . 3)) -}}
  {{- $labels := merge (pick $change "severity") ($change.labels | default dict) $settings.alertLabels $rule.labels $place -}}
  {{- $texts := merge (dict "expr" $rule.expr) $rule.annotations -}}
  {{- range $old, $new := $change.replace -}}
    {{- $found := false -}}
    {{- range $name, $text := $texts -}}
      {{- $found = or $found (contains $old $text) -}}
      {{- $_ := set $texts $name ($text | replace $old $new) -}}
    {{- end -}}
    {{- if not $found -}}
      {{- fail (printf "prometheusRule.alerts.%s.replace: %q stands neither in the expression nor in an annotation" $rule.alert $old) -}}
    {{- end -}}
  {{- end -}}
  {{- $texts = merge (pick $change "expr") ($change.annotations | default dict) $texts -}}
  {{- range $name, $text := $texts -}}
    {{- $text = replace "https://prepaid-exporter.example.com" $settings.exporterUrl $text -}}
    {{- $_ := set $texts $name ($text | replace "https://grafana.example.com" $settings.grafanaUrl) -}}
  {{- end -}}
  {{- $rule = merge (pick $texts "expr") (pick $change "for" "keep_firing_for") (dict "labels" $labels "annotations" (omit $texts "expr")) $rule -}}
{{- end -}}
{{- toJson $rule -}}
{{- end -}}
