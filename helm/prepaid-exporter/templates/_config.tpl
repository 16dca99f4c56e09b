{{- /* The exporter's configuration as JSON: `config` (the file's content) and `secrets` (entries to mount, by secret).
A key never passes through here: an account's `secrets` become paths of mounted files. */ -}}
{{- define "prepaid-exporter.config" -}}
{{- $accounts := list -}}
{{- $secrets := dict -}}
{{- $names := dict -}}
{{- range $index, $account := .Values.config.accounts -}}
  {{- $path := printf "config.accounts[%d]" $index -}}
  {{- if hasKey $names $account.name -}}
    {{- fail (printf "%s.name: %q is the name of config.accounts[%d] already; give each account its own" $path $account.name (get $names $account.name)) -}}
  {{- end -}}
  {{- $_ := set $names $account.name $index -}}
  {{- include "prepaid-exporter.refusePlainKeys" (list $path $account) -}}
  {{- $rendered := omit $account "secrets" -}}
  {{- range $credential, $entry := include "prepaid-exporter.secretEntries" (list $path $account $.Values.existingSecret) | fromJson -}}
    {{- if hasKey $account (printf "%s_file" $credential) -}}
      {{- fail (printf "%s.secrets.%s: %s_file says already where it is; keep one of the two" $path $credential $credential) -}}
    {{- end -}}
    {{- $_ := set $rendered (printf "%s_file" $credential) (printf "/etc/prepaid-exporter/secrets/%s/%s" $entry.name $entry.key) -}}
    {{- $_ := set $secrets $entry.name (append (get $secrets $entry.name | default list) $entry.key | uniq) -}}
  {{- end -}}
  {{- $accounts = append $accounts $rendered -}}
{{- end -}}
{{- $config := dict "defaults" .Values.config.defaults "accounts" $accounts -}}
{{- if .Values.providers -}}
  {{- $_ := set $config "provider_files" (list "/etc/prepaid-exporter/providers/*.yml") -}}
{{- end -}}
{{- dict "config" $config "secrets" $secrets | toJson -}}
{{- end -}}

{{- /* Which entry of which secret holds each credential of an account, as JSON. Input: path, account, existingSecret. */ -}}
{{- define "prepaid-exporter.secretEntries" -}}
{{- $path := index . 0 -}}
{{- $account := index . 1 -}}
{{- $existing := index . 2 -}}
{{- $wanted := $account.secrets | default dict -}}
{{- if not (or $wanted (regexMatch "\"[a-z0-9_]+_(file|env)\":" (omit $account "ca_file" | toJson))) -}}
  {{- $wanted = dict "api_key" dict -}}
{{- end -}}
{{- $entries := dict -}}
{{- range $credential, $reference := $wanted -}}
  {{- $name := $reference.name | default $existing -}}
  {{- if not $name -}}
    {{- fail (printf "%s (%s): no secret for %s; set existingSecret (entry %q), or %s.secrets.%s.name and .key" $path $account.name $credential $account.name $path $credential) -}}
  {{- end -}}
  {{- $key := $reference.key | default (ternary $account.name (printf "%s-%s" $account.name $credential) (eq $credential "api_key")) -}}
  {{- if not (regexMatch "^[-._a-zA-Z0-9]+$" $key) -}}
    {{- fail (printf "%s: %q cannot be the name of a secret's entry; set %s.secrets.%s.key" $path $key $path $credential) -}}
  {{- end -}}
  {{- $_ := set $entries $credential (dict "name" $name "key" $key) -}}
{{- end -}}
{{- toJson $entries -}}
{{- end -}}

{{- /* Refuse what would put a key into the ConfigMap, also when the schema was skipped. Input: path, account. */ -}}
{{- define "prepaid-exporter.refusePlainKeys" -}}
{{- $path := index . 0 -}}
{{- $known := list "name" "provider" "secrets" "currency" "params" "thresholds" "wallet_thresholds" "base_url" "timeout" "min_interval" "allow_http" "ca_file" "proxy_url" "dashboard_url" "topup_url" -}}
{{- range $key, $value := index . 1 -}}
  {{- if not (or (has $key $known) (regexMatch "^[a-z][a-z0-9_]*_(file|env)$" $key)) -}}
    {{- fail (printf "%s.%s: refused, since a key written here would stand in a ConfigMap; put it into a secret and name that in existingSecret or %s.secrets.%s" $path $key $path $key) -}}
  {{- end -}}
  {{- if and (hasSuffix "_url" $key) (regexMatch "^[^/]*//[^/]*@" (toString $value)) -}}
    {{- fail (printf "%s.%s: refused, since a user in a URL would stand in a ConfigMap; give a proxy by HTTPS_PROXY in extraEnv, from a secret" $path $key) -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{- /* Refuse values that contradict each other. */ -}}
{{- define "prepaid-exporter.checkValues" -}}
{{- with .Values -}}
{{- if and .demo.enabled (or .config.accounts .webConfig.existingSecret .probe.enabled .scrapeConfig.enabled) -}}
  {{- fail "demo.enabled: the demo has accounts of its own and /metrics alone; switch it off for config.accounts, webConfig, probe or scrapeConfig" -}}
{{- end -}}
{{- if and .probe.enabled .scrapeConfig.enabled -}}
  {{- fail "scrapeConfig.enabled: probe.enabled would ask every account as well; choose one of the two" -}}
{{- end -}}
{{- if and (or .webConfig.tls .webConfig.clientCertificates .webConfig.certificateSecret) (not .webConfig.existingSecret) -}}
  {{- fail "webConfig.existingSecret: tls, clientCertificates and certificateSecret need the secret that holds the web configuration" -}}
{{- end -}}
{{- end -}}
{{- end -}}
