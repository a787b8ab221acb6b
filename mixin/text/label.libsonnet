// Labels in the Chinese texts of alerts: a value that has a Chinese name appears under that name.
local zh = (import 'zh.libsonnet') + (import 'zh-quality.libsonnet');
local named(label, names, space='') =
  local values = std.objectFields(names);
  local cases = ['if eq $labels.%s "%s" }}%s' % [label, value, names[value]] for value in values];
  '{{ %s{{ else }}%s{{ $labels.%s }}%s{{ end }}' % [std.join('{{ else ', cases), space, label, space];
local words(values) = { [value]: zh[value] for value in values };
{
  callType: named('call_type', words(['voice', 'text']), ' '),
  stage: named('status', words(['waiting', 'transcribing', 'inspecting'])),
  asrFailure: named('status', words([status for status in std.objectFields(zh) if std.startsWith(status, 'asr_') || status == 'invalid_audio'])),
  kind: named('kind', words(['dialogue', 'silence', 'speed', 'interposal'])),
  role: named('role', words(['customer', 'staff'])),
  unproven: named('reason', words(['changing', 'total', 'unreadable'])),
  rejected: named('reason', words(['identity', 'measure', 'shape', 'upload_time'])),
}
