{{/* The genesis, parsed; fails with advice when it is absent or asks for what the values forbid. */}}
{{- define "scs.genesis" -}}
{{- if not .Values.genesis }}{{ fail "genesis is required: --set-file genesis=genesis.bin (kubectl symphony genesis build)" }}{{ end -}}
{{- $g := splitList "\n" .Values.genesis | first | fromJson -}}
{{- if or (hasKey $g "Error") (not (dig "enclave" "kind" "" $g)) }}{{ fail "genesis is not a genesis file: give the bytes that kubectl symphony genesis build wrote" }}{{ end -}}
{{- if and (eq $g.enclave.kind "simulated") (not .Values.simulation) }}{{ fail "the genesis says simulated enclaves, which protect nothing from whoever runs the machines. Set simulation=true to accept that, for development only" }}{{ end -}}
{{- if not (or .Values.chain.url .Values.devnet.enabled) }}{{ fail "chain.url is required (an Aptos fullnode, ending in /v1), or devnet.enabled=true for development" }}{{ end -}}
{{- if not .Values.submitterNamespaces }}{{ fail "submitterNamespaces is required: the namespaces whose Tasks the masters serve, at least one" }}{{ end -}}
{{- if and (ne $g.enclave.kind "simulated") (not .Values.counters.runtimeClassName) }}{{ fail "counters.runtimeClassName is required: outside simulation each master's counter runs in a confidential guest of its own (rule N2), for example kata-qemu-snp" }}{{ end -}}
{{- range $a := $g.actors }}
{{- $ns := dig "enterprise" "namespace" "" $a }}
{{- if and $ns (has $ns $.Values.submitterNamespaces) }}{{ fail (printf "submitterNamespaces lists %s, which the genesis gives to enterprise %s: masters get no right in an enterprise's namespace. Let submitters use another" $ns $a.name) }}{{ end }}
{{- end -}}
{{- if has .Release.Namespace .Values.submitterNamespaces }}{{ fail (printf "submitterNamespaces lists %s, where the masters' keys are. Let submitters use another" .Release.Namespace) }}{{ end -}}
{{- end -}}

{{- define "scs.labels" -}}
app.kubernetes.io/part-of: symphony
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{/* host:port of the three masters, in index order. Context: dict root port. */}}
{{- define "scs.masters" -}}
{{- $list := list -}}
{{- range $i := until 3 }}{{ $list = append $list (printf "scs-master-%d.%s.svc:%d" $i $.root.Release.Namespace (int $.port)) }}{{ end -}}
{{ join "," $list }}
{{- end -}}

{{- define "scs.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}
{{- define "scs.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: { type: RuntimeDefault }
{{- end -}}
