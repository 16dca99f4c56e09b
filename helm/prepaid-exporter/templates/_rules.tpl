{{- /* The shipped rule groups with the changes that the values ask for, as JSON. What Prometheus itself fills in
(`{{ $labels.x }}`) passes as it stands, since the files are read and not rendered. */ -}}
{{- define "prepaid-exporter.ruleGroups" -}}
{{- $groups := list -}}
{{- $known := list -}}
{{- range $path, $_ := .Files.Glob "files/rules/*.yml" -}}
  {{- range ($.Files.Get $path | fromYaml).groups -}}
    {{- $rules := list -}}
    {{- range .rules -}}
      {{- $change := dict -}}
      {{- if .alert -}}
        {{- $known = append $known .alert -}}
        {{- $change = get $.Values.prometheusRule.alerts .alert | default dict -}}
      {{- end -}}
      {{- if ne (get $change "enabled" | toString) "false" -}}
        {{- $rules = append $rules (include "prepaid-exporter.rule" (list $.Values.prometheusRule . $change) | fromJson) -}}
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

{{- /* One rule with its change, as JSON. Input: prometheusRule, rule, change. */ -}}
{{- define "prepaid-exporter.rule" -}}
{{- $settings := index . 0 -}}
{{- $rule := index . 1 -}}
{{- $change := index . 2 -}}
{{- if $rule.alert -}}
  {{- $rule = merge (pick $change "expr" "for" "keep_firing_for") $rule -}}
  {{- $severity := pick $change "severity" -}}
  {{- $_ := set $rule "labels" (merge $severity ($change.labels | default dict) $settings.alertLabels ($rule.labels | default dict)) -}}
  {{- $annotations := dict -}}
  {{- range $name, $text := merge (dict) ($change.annotations | default dict) ($rule.annotations | default dict) -}}
    {{- $_ := set $annotations $name ($text | replace "https://grafana.example.com" $settings.grafanaUrl) -}}
  {{- end -}}
  {{- $_ := set $rule "annotations" $annotations -}}
{{- end -}}
{{- toJson $rule -}}
{{- end -}}
