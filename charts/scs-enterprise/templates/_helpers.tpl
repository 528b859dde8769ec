{{- define "enterprise.genesis" -}}
{{- if not .Values.genesis }}{{ fail "genesis is required: --set-file genesis=genesis.bin" }}{{ end -}}
{{- $g := splitList "\n" .Values.genesis | first | fromJson -}}
{{- if or (hasKey $g "Error") (not (dig "enclave" "kind" "" $g)) }}{{ fail "genesis is not a genesis file" }}{{ end -}}
{{- if and (eq $g.enclave.kind "simulated") (not .Values.simulation) }}{{ fail "the genesis says simulated enclaves, which protect nothing from whoever runs the machines. Set simulation=true to accept that, for development only" }}{{ end -}}
{{- if and (ne $g.enclave.kind "simulated") (not .Values.runtimeClassName) }}{{ fail "runtimeClassName is required: slices run in SEV-SNP or TDX guests (kata-qemu-snp, kata-qemu-tdx)" }}{{ end -}}
{{- if ne (len .Values.masters) 3 }}{{ fail "masters needs three host:port entries" }}{{ end -}}
{{- end -}}
{{- define "enterprise.labels" -}}
app.kubernetes.io/part-of: symphony
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{/* The masters' ports, each once, as NetworkPolicy ports. */}}
{{- define "enterprise.masterPorts" -}}
{{- $ports := list -}}
{{- range .Values.masters }}{{ $ports = append $ports (splitList ":" . | last) }}{{ end -}}
{{- range uniq $ports }}
- { port: {{ . }}, protocol: TCP }
{{- end -}}
{{- end -}}
