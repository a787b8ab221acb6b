// Every generated file of the repository, by its path.
local mixin = import 'files.libsonnet';
local english = mixin;
local chinese = mixin { config+:: { language: 'zh' } };
local under(directory, files) = { [directory + '/' + name]: files[name] for name in std.objectFields(files) };

under('dashboards', english.dashboards)
+ under('dashboards/zh-CN', chinese.dashboards)
+ under('deploy/prometheus', english.rules)
+ under('deploy/prometheus/runbooks', english.runbooks)
+ under('deploy/prometheus/zh-CN', chinese.rules { 'README.md': chinese.chineseIndex })
+ under('deploy/prometheus/zh-CN/runbooks', chinese.runbooks)
