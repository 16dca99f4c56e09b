{{- /* The exporter's configuration as JSON: `config` (the file's content) and `secrets` (entries to mount, by secret).
A key never passes through here: an account's `secrets` become paths of mounted files. */ -}}
{{- define "prepaid-exporter.config" -}}
{{- include "prepaid-exporter.checkDefaults" .Values.config.defaults -}}
{{- $accounts := list -}}
{{- $secrets := dict -}}
{{- $names := dict -}}
{{- range $index, $account := .Values.config.accounts -}}
  {{- $path := printf "config.accounts[%d]" $index -}}
  {{- if hasKey $names $account.name -}}
    {{- fail (printf "%s.name: %q is the name of config.accounts[%d] already; give each account its own" $path $account.name (get $names $account.name)) -}}
  {{- end -}}
  {{- $_ := set $names $account.name $index -}}
  {{- include "prepaid-exporter.checkAccount" (list $path $account $.Values) -}}
  {{- $rendered := omit $account "secrets" -}}
  {{- range $credential, $entry := include "prepaid-exporter.secretEntries" (list $path $account $.Values) | fromJson -}}
    {{- $_ := set $rendered (printf "%s_file" $credential) (printf "/etc/prepaid-exporter/secrets/%s/%s" $entry.name $entry.key) -}}
    {{- $_ := set $secrets $entry.name (set (get $secrets $entry.name | default dict) $entry.key true) -}}
  {{- end -}}
  {{- $accounts = append $accounts $rendered -}}
{{- end -}}
{{- range $name, $entries := $secrets -}}
  {{- $_ := set $secrets $name (keys $entries | sortAlpha) -}}
{{- end -}}
{{- $config := dict "defaults" .Values.config.defaults "accounts" $accounts -}}
{{- if .Values.providers -}}
  {{- $_ := set $config "provider_files" (list "/etc/prepaid-exporter/providers/*.yml") -}}
{{- end -}}
{{- dict "config" $config "secrets" $secrets | toJson -}}
{{- end -}}

{{- /* Refuse in the defaults what is refused in an account. */ -}}
{{- define "prepaid-exporter.checkDefaults" -}}
{{- include "prepaid-exporter.checkTimeout" (list "config.defaults.timeout" .timeout) -}}
{{- with .proxy_url -}}
  {{- include "prepaid-exporter.checkUrl" (list "config.defaults.proxy_url" "proxy_url" (toString .)) -}}
{{- end -}}
{{- with .ca_file -}}
  {{- if not (regexMatch "^/[^\\pC]+$" (toString .)) -}}
    {{- fail "config.defaults.ca_file: must be the absolute path of a file" -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{- /* Ports of addresses of the configuration that the network policy does not let out to, with the path of each, as JSON. */ -}}
{{- define "prepaid-exporter.blockedPorts" -}}
{{- $urls := dict -}}
{{- with .Values.config.defaults.proxy_url -}}
  {{- $_ := set $urls "config.defaults.proxy_url" . -}}
{{- end -}}
{{- range $index, $account := .Values.config.accounts -}}
  {{- range $key := list "base_url" "login_base_url" "proxy_url" -}}
    {{- with get $account $key -}}
      {{- $_ := set $urls (printf "config.accounts[%d].%s" $index $key) . -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- $blocked := dict -}}
{{- range $path, $url := $urls -}}
  {{- $usual := ternary "443" "80" (hasPrefix "https:" (lower $url)) -}}
  {{- $port := regexFind ":[0-9]+$" (regexFind "^[^/]*//[^/?#]*" $url) | trimPrefix ":" | default $usual | int -}}
  {{- $open := false -}}
  {{- range $.Values.networkPolicy.egressPorts -}}
    {{- if eq (int .) $port -}}{{- $open = true -}}{{- end -}}
  {{- end -}}
  {{- if not $open -}}
    {{- $_ := set $blocked $path $port -}}
  {{- end -}}
{{- end -}}
{{- toJson $blocked -}}
{{- end -}}

{{- /* The credentials that an account's provider declares, as JSON. Of a definition that declares none, the exporter itself
complains. Input: account, values. */ -}}
{{- define "prepaid-exporter.credentials" -}}
{{- $account := index . 0 -}}
{{- $definition := get (index . 1).providers $account.provider | default dict -}}
{{- $builtIn := dict -}}
{{- range get (include "prepaid-exporter.builtInCredentials" . | fromJson) (toString $account.provider) | default (list "api_key") -}}
  {{- $_ := set $builtIn . dict -}}
{{- end -}}
{{- $definition.credentials | default (and $definition $account.secrets) | default $builtIn | toJson -}}
{{- end -}}

{{- /* Which entry of which secret holds each credential of an account, as JSON. Input: path, account, values. */ -}}
{{- define "prepaid-exporter.secretEntries" -}}
{{- $path := index . 0 -}}
{{- $account := index . 1 -}}
{{- $existing := (index . 2).existingSecret -}}
{{- $entries := dict -}}
{{- range $credential, $_ := include "prepaid-exporter.credentials" (rest .) | fromJson -}}
  {{- if not (or (hasKey $account (printf "%s_file" $credential)) (hasKey $account (printf "%s_env" $credential))) -}}
    {{- $reference := get ($account.secrets | default dict) $credential | default dict -}}
    {{- $name := $reference.name | default $existing -}}
    {{- if not $name -}}
      {{- fail (printf "%s (%s): no secret for %s; set existingSecret (entry %q), or %s.secrets.%s.name and .key" $path $account.name $credential $account.name $path $credential) -}}
    {{- end -}}
    {{- $key := $reference.key | default (ternary $account.name (printf "%s-%s" $account.name $credential) (eq $credential "api_key")) -}}
    {{- if not (regexMatch "^\\.?[-_a-zA-Z0-9][-._a-zA-Z0-9]*$" $key) -}}
      {{- fail (printf "%s: %q cannot be the name of a secret's entry; set %s.secrets.%s.key" $path $key $path $credential) -}}
    {{- end -}}
    {{- $_ := set $entries $credential (dict "name" $name "key" $key) -}}
  {{- end -}}
{{- end -}}
{{- toJson $entries -}}
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
