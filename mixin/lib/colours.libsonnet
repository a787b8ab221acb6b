// One colour for each status, type of call and role, on all dashboards. Success is green; calls
// on their way are blue, darker as they get further; failures are red to yellow.
{
  status: {
    waiting: 'super-light-blue',
    transcribing: 'light-blue',
    inspecting: 'blue',
    succeeded: 'green',
    inspection_failed: 'dark-red',
    asr_failed: 'red',
    asr_conversion_failed: 'light-red',
    asr_submit_failed: 'dark-orange',
    asr_upload_failed: 'orange',
    asr_empty: 'yellow',
    invalid_audio: 'dark-yellow',
    multimedia_failed: 'super-light-red',
    tuc_failed: 'light-orange',
    result_update_failed: 'super-light-orange',
    task_failed: 'light-yellow',
  },
  call_type: { voice: 'dark-blue', text: 'purple' },
  role: { customer: 'light-purple', staff: 'dark-blue' },
  quantile: { median: 'blue', '95th percentile': 'dark-purple', '99th percentile': 'dark-purple', Silence: 'blue' },
  reason: {
    auth: 'dark-red',
    rate_limit: 'orange',
    timeout: 'yellow',
    connect: 'red',
    server: 'dark-orange',
    body: 'light-red',
    envelope: 'light-orange',
    storage: 'super-light-red',
    paging: 'light-yellow',
  },
  outcome: { succeeded: 'green', failed: 'red', counted: 'dark-green', empty: 'light-blue', expired: 'dark-orange' },
  // What is neither: a week before, whatever has no name.
  past: 'text',
  unknown: 'super-light-purple',
}
