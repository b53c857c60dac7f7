{{/* The chart's name, as labels have it. */}}
{{- define "tutti.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* What every object's name begins with; short enough for "-coordinator-0" to follow. */}}
{{- define "tutti.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "tutti.coordinator" -}}{{ include "tutti.fullname" . }}-coordinator{{- end -}}
{{- define "tutti.worker" -}}{{ include "tutti.fullname" . }}-worker{{- end -}}

{{/* The headless Service that gives each coordinator a name of its own. */}}
{{- define "tutti.peers" -}}{{ include "tutti.fullname" . }}-peers{{- end -}}

{{/* The Service of Kubernetes' external metrics API. */}}
{{- define "tutti.metricsAPI" -}}{{ include "tutti.fullname" . }}-metrics-api{{- end -}}

{{- define "tutti.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "tutti.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "tutti.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* Labels that never change, so that selectors stay valid through upgrades. */}}
{{- define "tutti.selector" -}}
app.kubernetes.io/name: {{ include "tutti.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "tutti.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "tutti.selector" . }}
app.kubernetes.io/version: {{ default .Chart.AppVersion .Values.image.tag | trunc 63 | trimSuffix "-" | trimSuffix "." | trimSuffix "_" | quote }}
app.kubernetes.io/part-of: tutti
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{/* The Pod's own address with a port, as HOST:PORT. Takes the root and the port. */}}
{{- define "tutti.podAddress" -}}
{{- $root := index . 0 -}}
{{- if eq $root.Values.ipFamily "IPv6" -}}[$(POD_IP)]{{- else -}}$(POD_IP){{- end -}}:{{ index . 1 }}
{{- end -}}

{{/* All coordinators as ID=HOST:PORT of the port where they find each other; the names resolve within the namespace. */}}
{{- define "tutti.coordinators" -}}
{{- $list := list -}}
{{- range $i := until (int .Values.coordinator.replicas) -}}
{{- $id := printf "%s-%d" (include "tutti.coordinator" $) $i -}}
{{- $list = append $list (printf "%s=%s.%s:%v" $id $id (include "tutti.peers" $) $.Values.coordinator.raft.port) -}}
{{- end -}}
{{- join "," $list -}}
{{- end -}}

{{- define "tutti.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "tutti.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* What the process is told by its environment. Takes the root and the values of its kind. */}}
{{- define "tutti.env" -}}
{{- $root := index . 0 -}}{{- $node := index . 1 -}}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: POD_IP
  valueFrom: {fieldRef: {fieldPath: status.podIP}}
- name: TUTTI_INTERNAL_SECRET
  valueFrom: {secretKeyRef: {name: {{ $root.Values.internalSecret.name }}, key: {{ $root.Values.internalSecret.key }}}}
{{- if dig "limits" "cpu" "" $node.resources }}
- name: TUTTI_THREADS
  valueFrom: {resourceFieldRef: {resource: limits.cpu}}
{{- end }}
{{- with $node.memoryLimit }}
- name: TUTTI_MEMORY_LIMIT
  value: {{ . | quote }}
{{- end }}
{{- with $node.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "tutti.envFrom" -}}
{{- with .Values.secretEnv -}}
envFrom:
{{- range . }}
  - secretRef: {name: {{ . }}}
{{- end }}
{{- end -}}
{{- end -}}

{{/* Over zones and machines; a node that is being drained or gone does not count, or the Pods that it lost could not
     go to the zones that are left. Takes the root, the values of the kind and the kind. */}}
{{- define "tutti.spread" -}}
{{- $root := index . 0 -}}{{- $node := index . 1 -}}{{- $kind := index . 2 -}}
topologySpreadConstraints:
{{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: {{ $node.spread.whenUnsatisfiable }}
    nodeAffinityPolicy: Honor
    nodeTaintsPolicy: Honor
    labelSelector:
      matchLabels:
        {{- include "tutti.selector" $root | nindent 8 }}
        app.kubernetes.io/component: {{ $kind }}
    {{- if eq $kind "worker" }}
    matchLabelKeys: [pod-template-hash]
    {{- end }}
{{- end }}
{{- end -}}

{{/* Where and how a Pod runs. Takes the root and the values of its kind. */}}
{{- define "tutti.placement" -}}
{{- $root := index . 0 -}}{{- $node := index . 1 -}}
serviceAccountName: {{ include "tutti.serviceAccount" $root }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- with $node.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $node.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $node.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $node.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
terminationGracePeriodSeconds: {{ $node.terminationGracePeriodSeconds }}
securityContext:
  {{- include "tutti.podSecurity" $root | nindent 2 }}
{{- end -}}

{{/* A folder of a size for outputs, with a tenth and 1 GiB beside what the process may fill. Takes GiB. */}}
{{- define "tutti.dataSize" -}}
{{- printf "%dGi" (add1 (div (mul (int .) 11) 10)) -}}
{{- end -}}
