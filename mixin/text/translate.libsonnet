// The text for an English one. A text without a translation is an error in Chinese.
function(language)
  local tables = { en: import 'en.libsonnet', zh: import 'zh.libsonnet' };
  local table = tables[language];
  function(text)
    if std.objectHas(table, text) then table[text]
    else if language == 'en' then text
    else error 'no translation into %s of: %s' % [language, text]
