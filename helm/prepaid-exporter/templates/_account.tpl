{{- /* Refuse what would put a key into the ConfigMap, also when the schema was skipped, and what the exporter would refuse.
These checks stand here since the schema's messages show the value, which may be a key in the wrong place.
Input: path, account, values. */ -}}
{{- define "prepaid-exporter.checkAccount" -}}
{{- $path := index . 0 -}}
{{- $account := index . 1 -}}
{{- $variables := list -}}
{{- range (index . 2).extraEnv -}}
  {{- $variables = append $variables .name -}}
{{- end -}}
{{- $known := list "name" "provider" "secrets" "currency" "params" "thresholds" "wallet_thresholds" "ignore_wallets" "runway" "base_url" "login_base_url" "timeout" "min_interval" "allow_http" "ca_file" "proxy_url" "dashboard_url" "topup_url" -}}
{{- range $key, $value := $account -}}
  {{- $here := printf "%s.%s" $path $key -}}
  {{- if not (or (has $key $known) (regexMatch "^[a-z][a-z0-9_]*_(file|env)$" $key)) -}}
    {{- fail (printf "%s: refused, since a key written here would stand in a ConfigMap; put it into a secret and name that in existingSecret or %s.secrets.%s" $here $path $key) -}}
  {{- else if hasSuffix "_url" $key -}}
    {{- include "prepaid-exporter.checkUrl" (list $here $key (toString $value)) -}}
  {{- else if and (hasSuffix "_file" $key) (not (regexMatch "^/[^\\pC]+$" (toString $value))) -}}
    {{- fail (printf "%s: must be the absolute path of a file; a key itself belongs into a secret" $here) -}}
  {{- else if and (hasSuffix "_env" $key) (not (or (has $value $variables) (regexMatch "^[A-Z_][A-Z0-9_]*$" (toString $value)))) -}}
    {{- fail (printf "%s: must be the name of an environment variable, such as API_KEY or one of extraEnv; a key itself belongs into a secret" $here) -}}
  {{- end -}}
{{- end -}}
{{- include "prepaid-exporter.checkTimeout" (list (printf "%s.timeout" $path) $account.timeout) -}}
{{- include "prepaid-exporter.checkParams" (list (printf "%s.params" $path) $account.params) -}}
{{- include "prepaid-exporter.checkCredentials" . -}}
{{- end -}}

{{- define "prepaid-exporter.checkUrl" -}}
{{- $here := index . 0 -}}
{{- $link := has (index . 1) (list "dashboard_url" "topup_url") -}}
{{- $port := "0*([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])" -}}
{{- if regexMatch (ternary "^[^/]*//[^/?#]*@" "@" $link) (index . 2) -}}
  {{- fail (printf "%s: refused, since a user in a URL would stand in a ConfigMap; give a proxy by HTTPS_PROXY in extraEnv, from a secret" $here) -}}
{{- else if not (regexMatch (printf "(?i)^https?://(\\[[0-9a-f:.]+\\]|[^]\\s\\pC/?#:[]+)(:(%s)?)?([/?#][^\\s\\pC]*)?$" $port) (index . 2)) -}}
  {{- fail (printf "%s: must be a URL that begins with https:// or http:// and names a host" $here) -}}
{{- else if and (has (index . 1) (list "base_url" "login_base_url")) (regexMatch "[?#]" (index . 2)) -}}
  {{- fail (printf "%s: must not carry a query or a fragment" $here) -}}
{{- else if and (eq (index . 1) "proxy_url") (regexMatch "//[^/?#]*(/.|[?#])" (index . 2)) -}}
  {{- fail (printf "%s: must name a proxy alone: no path, query or fragment" $here) -}}
{{- end -}}
{{- end -}}

{{- define "prepaid-exporter.checkTimeout" -}}
{{- $sum := 0.0 -}}
{{- $sizes := dict "y" 31536000 "w" 604800 "d" 86400 "h" 3600 "m" 60 "s" 1 "ms" 0.001 -}}
{{- range regexFindAll "[0-9]+[a-z]+" (index . 1 | toString) -1 -}}
  {{- $sum = addf $sum (mulf (regexFind "[0-9]+" . | float64) (get $sizes (regexFind "[a-z]+" .) | default 0)) -}}
{{- end -}}
{{- if gt $sum 86400.0 -}}
  {{- fail (printf "%s: must be longer than 0s and at most 1d" (index . 0)) -}}
{{- end -}}
{{- end -}}

{{- define "prepaid-exporter.checkParams" -}}
{{- $path := index . 0 -}}
{{- range $name, $value := index . 1 -}}
  {{- $here := printf "%s.%s" $path $name -}}
  {{- if regexMatch "(?i)((api|access|auth|private|secret)[-_]?key|token|secret|passw(or)?d|credentials?)$" $name -}}
    {{- fail (printf "%s: refused, since a key written here would stand in a ConfigMap; put it into a secret and make it a credential of the definition" $here) -}}
  {{- else if not (has (kindOf $value) (list "string" "bool" "invalid")) -}}
    {{- fail (printf "%s: must be in quotes, since Helm rounds numbers" $here) -}}
  {{- else if regexMatch "\\pC|[^\\PZ ]" (toString $value) -}}
    {{- fail (printf "%s: holds a line break or another control character" $here) -}}
  {{- else if has $value (list "." "..") -}}
    {{- fail (printf "%s: must not be . or .., which would change the path of a request" $here) -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{- /* Refuse a credential that the provider does not have, and one that is given twice. Input: path, account, values. */ -}}
{{- define "prepaid-exporter.checkCredentials" -}}
{{- $path := index . 0 -}}
{{- $account := index . 1 -}}
{{- $declared := include "prepaid-exporter.credentials" (rest .) | fromJson -}}
{{- $given := dict -}}
{{- range $credential, $_ := $account.secrets -}}
  {{- $_ := set $given (printf "secrets.%s" $credential) $credential -}}
{{- end -}}
{{- range $key, $_ := omit $account "ca_file" -}}
  {{- if regexMatch "_(file|env)$" $key -}}
    {{- $_ := set $given $key (regexReplaceAll "_(file|env)$" $key "") -}}
  {{- end -}}
{{- end -}}
{{- $places := dict -}}
{{- range $place := keys $given | sortAlpha | reverse -}}
  {{- $credential := get $given $place -}}
  {{- if not (hasKey $declared $credential) -}}
    {{- fail (printf "%s.%s: %s has no such credential; it has %s" $path $place $account.provider (keys $declared | sortAlpha | join ", ")) -}}
  {{- else if hasKey $places $credential -}}
    {{- fail (printf "%s.%s: %s says already where it is; keep one of the two" $path (get $places $credential) $place) -}}
  {{- end -}}
  {{- $_ := set $places $credential $place -}}
{{- end -}}
{{- end -}}
