{{/*
The customer's ladder as KEDA's formula, measured in research on a real control plane: what it answers is the number of
processes, the HPA rounds up, minimum and maximum cap. A service whose topics have fewer partitions than the ladder's
top has every step but the base scaled to them. Parked records are committed in Kafka, so they are no lag.
*/}}
{{- define "esteira.formula" -}}
{{- $ladder := .root.Values.ladder -}}
{{- $steps := $ladder.replicas -}}
{{- $lag := .variable -}}
{{- $scale := divf (int (include "esteira.share" .)) (int $steps.highTo) -}}
{{- if gt (float64 $scale) 1.0 }}{{ $scale = 1.0 }}{{ end -}}
{{- $middle := mulf $scale (int $steps.middleFrom) -}}
{{- $high := mulf $scale (int $steps.highFrom) -}}
{{- $middleEach := divf (sub (int $ladder.lag.middle) (int $ladder.lag.low)) (mulf $scale (sub (int $steps.middleTo) (int $steps.middleFrom))) -}}
{{- $highEach := divf (sub (int $ladder.lag.high) (int $ladder.lag.middle)) (mulf $scale (sub (int $steps.highTo) (int $steps.highFrom))) -}}
{{ printf "%s < %d ? %d : %s <= %d ? %v + (%s - %d) / %v : %v + (%s - %d) / %v"
   $lag (int $ladder.lag.low) (int $steps.base)
   $lag (int $ladder.lag.middle) $middle $lag (int $ladder.lag.low) $middleEach
   $high $lag (int $ladder.lag.middle) $highEach }}
{{- end }}
