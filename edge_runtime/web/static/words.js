// @ts-check
/** Every word of the page, in English and Chinese. Alarm texts come from the daemon. */

const WORDS = {
  en: {
    devices: "Devices", settings: "Settings", no_devices: "No device yet.", connection: "Port, serial", contact: "Skin contact",
    contact_yes: "yes", contact_no: "no", clock_error: "Clock error", clock_jitter: "Jitter", last_sample: "Last sample",
    seconds_ago: "{s} s ago", source: "Source", notifications: "Notifications", send_test: "Send a test", test_of: "Send a test to {n}",
    sending: "Sending…", test_sent: "A test went to {n}.",
    clock_hint: "Clock error: how much slower than it says a device counts, by this computer's clock. Jitter: how late its stamps arrive. Ports and serials are shown to administrators.",
    settings_hint: "Changes lie over the configuration file, which stays as it is.", settings_need_login: "Log in as administrator to change settings.",
    save: "Save", preview: "What would it have raised?", discard: "Discard", from_to: "{a} to {b}", by_profile: "by the profile",
    origin_file: "from the configuration file", origin_saved: "changed here", origin_command_line: "given on the command line", usually: "usually {v}",
    setting_back: "Take back", effect_live: "", effect_source: "the sensor is opened anew", effect_restart: "after a restart",
    trying: "Trying it on the last 24 hours…", tried_on: "On {h} hours of beats stored in the last 24 hours:", no_alarm_with_either: "No alarm with either.",
    alarms_now: "Alarms with the present settings", alarms_then: "With these",
    settings_saved: "Saved and in force.", settings_saved_later: "Saved; some of it comes to bear after a restart of the daemon.",
    skip: "Skip to content", disclaimer: "Not a medical device, not for emergencies",
    theme: "Theme", theme_auto: "Theme: auto", theme_light: "Light", theme_dark: "Dark",
    sources: "Sources", live: "Live ECG", lead: "Lead", vitals: "Now", heart_rate: "Heart rate",
    per_minute: "/min", alarms: "Alarms", no_alarms: "No alarm since the daemon started.",
    alarm_detail: "Alarm detail", choose_alarm: "Choose an alarm to see why it was raised.",
    trend: "Rate and ectopic beats by the minute", as_table: "As a table", time: "Time",
    mean: "Mean /min", range: "Lowest to highest", beats: "Beats", device: "Device",
    log_in: "Log in", log_out: "Log out", name: "Name", password: "Password", cancel: "Cancel",
    mark: "Mark", mark_label: "Write down at this moment", marked: "Marked.",
    beat_N: "normal", beat_S: "supraventricular", beat_V: "ventricular", beat_F: "fusion",
    beat_Q: "not classified",
    models_unsigned: "MODELS THAT NOBODY HAS SIGNED: {m}", models_on_trial: "New models on trial: {m}",
    not_monitoring: "NOT MONITORING", since: "since", no_contact: "no contact with the daemon",
    old_value: "{s} s old", quality: "Signal", ectopy: "Beats so far", state: "State",
    online: "online", no_signal: "no signal", offline: "offline", connecting: "connecting",
    sound_on: "Sound on", sound_blocked: "Sound blocked: click to enable", sound_off: "Sound off",
    high: "high priority", medium: "medium priority", low: "low priority",
    physiological: "physiological", technical: "technical",
    active: "active", over: "over", rule: "Rule", source_of_rule: "Source", priority: "Priority",
    strip_gone: "The signal around this alarm is no longer in memory; the recording has it.",
    strip_label: "ECG 15 s before to 15 s after the alarm", values: "What the rule compared",
    scores: "Beats before it, with the model's scores", no_scores: "No classified beat near it.",
    no_map: "This bundle gives no activation map.",
    battery: "Battery", unknown: "not told", leads: "Leads", sample_rate: "Sampling", model: "Model",
    firmware: "Firmware", session: "Session", gaps: "Gaps", lost: "{n}, {s} s in all",
    link: "Link", duration: "Monitored", version: "Version", none: "none",
    rate_label: "Heart rate {r} per minute, signal {q}", new_alarm: "Alarm, {p}: {t}",
    acknowledge: "Acknowledge", acknowledged: "acknowledged", latched: "latched", reset: "Reset",
    pause_audio: "Pause sound (2 min)", resume_audio: "Sound again", switch_off: "Alarms off",
    switch_on: "Alarms on", alarms_off: "ALARMS ARE OFF", audio_paused: "Sound paused for {s} s",
    recordings: "Recordings", format: "Format", export: "Export", running: "running",
    export_hint: "The first five minutes of a recording at most; the command line exports all of it. Needs a login.",
    exporting: "Exporting …", exported: "Saved as {f}.", export_of: "Export the recording of {t}",
    trend_empty: "No minute with beats yet.",
    rhythms: "Rhythms", no_rhythms: "No episode so far.", now: "now", by_model: "model", by_rule: "rule",
    no_rhythm_model: "No rhythm model runs: nobody looks for atrial fibrillation. These are the rules' own.",
    rhythm_N: "sinus rhythm", rhythm_AFIB: "atrial fibrillation", rhythm_AFL: "atrial flutter", rhythm_VFIB: "ventricular fibrillation",
    rhythm_VT: "ventricular tachycardia", rhythm_VRUN: "ventricular run", rhythm_IVR: "ventricular rhythm", rhythm_ASYS: "asystole",
    rhythm_PAUSE: "pause", rhythm_BRADY: "bradycardia", rhythm_TACHY: "tachycardia", rhythm_SVTA: "supraventricular tachycardia",
    rhythm_B: "bigeminy", rhythm_T: "trigeminy", rhythm_IRREG: "irregular rhythm", rhythm_OTHER: "another rhythm",
    rhythm_NOISE: "too noisy to tell",
    views: "Views", holter: "Holter", recording: "Recording", all_day: "all", lowest: "Lowest", highest: "Highest",
    couplets: "Couplets", runs: "Runs",
    holter_report: "Report (PDF)", holter_of: "Holter summary of {t}", holter_min: "Analysed min",
    holter_counting: "Counting …", holter_none: "Nothing is recorded yet.",
    holter_note: "Counted by the program, reviewed by nobody. Supraventricular beats cannot be relied on yet.",
    holter_plot: "Heart rate and ectopic beats by the hour", holter_moments: "Worth a look",
    holter_by_hour: "By the hour", holter_strip: "Strip (PDF)",
    holter_analysed: "Analysed", holter_hours: "{h} h, lost {l} h", holter_rate: "{a} to {b} /min, mean {m}",
    holter_ectopy: "{n} ({r}/h), {c} couplets, {u} runs", holter_pauses: "Pauses",
    holter_pause: "{n} above 2 s, longest RR {s} s", holter_af: "Atrial fibrillation",
    holter_af_unknown: "not looked for", holter_af_for: "{m} min, {p} % of the time",
    lowest_bpm: "lowest rate, {v} /min", highest_bpm: "highest rate, {v} /min",
    longest_pause_s: "longest pause, {v} s", af_onset_s: "longest atrial fibrillation, {v} s",
    single_ventricular: "first single V", single_supraventricular: "first single S",
    longest_ventricular_run_beats: "longest run of V, {v} beats",
    longest_ventricular_couplet_beats: "first couplet of V",
    longest_supraventricular_run_beats: "longest run of S, {v} beats",
    longest_supraventricular_couplet_beats: "first couplet of S",
    alarm_line: "{t} ({s}) · alarms that hold: {n}",
    review: "Review", not_reviewed: "Nobody has reviewed it.", comment: "Comment", reviewed: "Written down.",
    review_needs_login: "Who may acknowledge can review it after logging in.",
    review_confirmed: "Confirm", review_false: "False", review_reclassified: "Reclassify",
    review_as: "What it was instead",
    verdict_confirmed: "confirmed", verdict_false: "false", verdict_reclassified: "reclassified as",
    beat_detail: "Beat", beat_review: "Look at beats", beat_before: "Before", beat_after: "After", close: "Close",
    beat_strip: "ECG 2.5 s before to 2.5 s after the beat", open_beat: "Look at beat {l} of {t}",
    beat_strip_gone: "The signal around this beat is no longer in memory; the recording has it.",
  },
  zh: {
    devices: "设备", settings: "设置", no_devices: "尚无设备。", connection: "端口、序列号", contact: "皮肤接触",
    contact_yes: "是", contact_no: "否", clock_error: "时钟误差", clock_jitter: "抖动", last_sample: "最近采样",
    seconds_ago: "{s} 秒前", source: "来源", notifications: "通知", send_test: "发送测试", test_of: "向 {n} 发送测试",
    sending: "正在发送…", test_sent: "测试已发送至 {n}。",
    clock_hint: "时钟误差：以本机时钟为准，设备计时比标称慢多少。抖动：时间戳迟到多少。端口与序列号仅向管理员显示。",
    settings_hint: "更改覆盖在配置文件之上，配置文件本身不变。", settings_need_login: "以管理员身份登录后可更改设置。",
    save: "保存", preview: "若如此会报警几次？", discard: "放弃更改", from_to: "{a} 至 {b}", by_profile: "由配置决定",
    origin_file: "来自配置文件", origin_saved: "在此更改", origin_command_line: "由命令行指定", usually: "通常为 {v}",
    setting_back: "恢复", effect_live: "", effect_source: "将重新打开传感器", effect_restart: "重启后生效",
    trying: "正在用最近 24 小时试算…", tried_on: "依据最近 24 小时内存储的 {h} 小时心搏：", no_alarm_with_either: "两者均无报警。",
    alarms_now: "现有设置的报警数", alarms_then: "更改后",
    settings_saved: "已保存并生效。", settings_saved_later: "已保存；部分更改在守护程序重启后生效。",
    skip: "跳到内容", disclaimer: "非医疗器械，不可用于急救",
    theme: "主题", theme_auto: "主题：自动", theme_light: "浅色", theme_dark: "深色",
    sources: "信号源", live: "实时心电图", lead: "导联", vitals: "当前", heart_rate: "心率",
    per_minute: "次/分", alarms: "报警", no_alarms: "自守护进程启动以来没有报警。",
    alarm_detail: "报警详情", choose_alarm: "选择一条报警以查看触发原因。",
    trend: "每分钟心率与异位搏动", as_table: "以表格显示", time: "时间",
    mean: "平均 次/分", range: "最低至最高", beats: "心搏", device: "设备",
    log_in: "登录", log_out: "退出", name: "用户名", password: "密码", cancel: "取消",
    mark: "标记", mark_label: "在此刻记下", marked: "已标记。",
    beat_N: "正常", beat_S: "室上性", beat_V: "室性", beat_F: "融合", beat_Q: "未分类",
    models_unsigned: "模型未经签名：{m}", models_on_trial: "新模型试用中：{m}",
    not_monitoring: "未在监护", since: "自", no_contact: "与守护进程失去联系",
    old_value: "{s} 秒前的数值", quality: "信号质量", ectopy: "累计心搏", state: "状态",
    online: "在线", no_signal: "无信号", offline: "离线", connecting: "正在连接",
    sound_on: "声音已开", sound_blocked: "声音被阻止：点击启用", sound_off: "声音已关",
    high: "高优先级", medium: "中优先级", low: "低优先级",
    physiological: "生理报警", technical: "技术报警",
    active: "进行中", over: "已结束", rule: "规则", source_of_rule: "依据", priority: "优先级",
    strip_gone: "此报警前后的信号已不在内存中；录制文件中仍有保存。",
    strip_label: "报警前后各 15 秒的心电图", values: "规则比较的数值",
    scores: "此前的心搏及模型评分", no_scores: "附近没有已分类的心搏。",
    no_map: "此模型包不提供激活图。",
    battery: "电量", unknown: "未报告", leads: "导联", sample_rate: "采样率", model: "型号",
    firmware: "固件", session: "会话", gaps: "缺失", lost: "{n} 处，共 {s} 秒",
    link: "连接", duration: "已监护", version: "版本", none: "无",
    rate_label: "心率每分钟 {r} 次，信号 {q}", new_alarm: "报警，{p}：{t}",
    acknowledge: "确认", acknowledged: "已确认", latched: "已锁存", reset: "复位",
    pause_audio: "暂停声音（2 分钟）", resume_audio: "恢复声音", switch_off: "关闭报警",
    switch_on: "开启报警", alarms_off: "报警已关闭", audio_paused: "声音暂停 {s} 秒",
    recordings: "录制", format: "格式", export: "导出", running: "进行中",
    export_hint: "最多导出录制的前五分钟；命令行可导出全部。需要登录。",
    exporting: "正在导出…", exported: "已保存为 {f}。", export_of: "导出 {t} 的录制",
    trend_empty: "尚无含心搏的分钟。",
    rhythms: "心律", no_rhythms: "尚无发作。", now: "现在", by_model: "模型", by_rule: "规则",
    no_rhythm_model: "没有心律模型在运行：不检测心房颤动。以下来自规则。",
    rhythm_N: "窦性心律", rhythm_AFIB: "心房颤动", rhythm_AFL: "心房扑动", rhythm_VFIB: "心室颤动",
    rhythm_VT: "室性心动过速", rhythm_VRUN: "室性连发", rhythm_IVR: "室性心律", rhythm_ASYS: "心搏停止",
    rhythm_PAUSE: "停搏", rhythm_BRADY: "心动过缓", rhythm_TACHY: "心动过速", rhythm_SVTA: "室上性心动过速",
    rhythm_B: "二联律", rhythm_T: "三联律", rhythm_IRREG: "心律不齐", rhythm_OTHER: "其他心律",
    rhythm_NOISE: "噪声过大",
    views: "视图", holter: "动态心电", recording: "录制", all_day: "全天", lowest: "最低", highest: "最高",
    couplets: "成对", runs: "连发",
    holter_report: "报告 (PDF)", holter_of: "{t} 的动态心电摘要", holter_min: "分析 分钟",
    holter_counting: "正在统计…", holter_none: "尚无录制。",
    holter_note: "由程序统计，未经人工审核。室上性搏动目前尚不可靠。",
    holter_plot: "每小时心率与异位搏动", holter_moments: "值得查看之处",
    holter_by_hour: "按小时", holter_strip: "心电图 (PDF)",
    holter_analysed: "已分析", holter_hours: "{h} 小时，缺失 {l} 小时", holter_rate: "{a} 至 {b} 次/分，平均 {m}",
    holter_ectopy: "{n} 次（每小时 {r}），成对 {c}，连发 {u}", holter_pauses: "停搏",
    holter_pause: "超过 2 秒 {n} 次，最长 RR {s} 秒", holter_af: "心房颤动",
    holter_af_unknown: "未检测", holter_af_for: "{m} 分钟，占 {p} %",
    lowest_bpm: "最低心率 {v} 次/分", highest_bpm: "最高心率 {v} 次/分",
    longest_pause_s: "最长停搏 {v} 秒", af_onset_s: "最长心房颤动 {v} 秒",
    single_ventricular: "首个单发室性搏动", single_supraventricular: "首个单发室上性搏动",
    longest_ventricular_run_beats: "最长室性连发 {v} 次",
    longest_ventricular_couplet_beats: "首个成对室性搏动",
    longest_supraventricular_run_beats: "最长室上性连发 {v} 次",
    longest_supraventricular_couplet_beats: "首个成对室上性搏动",
    alarm_line: "{t}（{s}）· 共 {n} 条报警进行中",
    review: "审核", not_reviewed: "尚无人审核。", comment: "备注", reviewed: "已记录。",
    review_needs_login: "有确认权限者登录后可审核。",
    review_confirmed: "属实", review_false: "误报", review_reclassified: "改判",
    review_as: "实际为",
    verdict_confirmed: "属实", verdict_false: "误报", verdict_reclassified: "改判为",
    beat_detail: "心搏", beat_review: "查看心搏", beat_before: "前一个", beat_after: "后一个", close: "关闭",
    beat_strip: "心搏前后各 2.5 秒的心电图", open_beat: "查看 {t} 的心搏 {l}",
    beat_strip_gone: "此心搏前后的信号已不在内存中；录制文件中仍有保存。",
  },
};

/** What the daemon says in fixed English words, for the Chinese page. */
const QUALITY_ZH = {
  good: "良好", usable: "可用", unusable: "不可用", "lead off": "导联脱落",
  "waiting for signal": "等待信号",
};

/** @type {"en" | "zh"} */
let language = "en";

/** @param {string} chosen */
export function speak(chosen) {
  language = chosen === "zh" ? "zh" : "en";
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const element of document.querySelectorAll("[data-word]")) {
    element.textContent = say(/** @type {HTMLElement} */ (element).dataset.word ?? "");
  }
  for (const element of document.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", say(/** @type {HTMLElement} */ (element).dataset.label ?? ""));
  }
}

/**
 * @param {string} key
 * @param {Record<string, string | number>} [filled]
 * @returns {string}
 */
export function say(key, filled = {}) {
  const words = /** @type {Record<string, string>} */ (WORDS[language]);
  return (words[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => String(filled[name] ?? ""));
}

/** @param {string} level */
export function sayQuality(level) {
  const zh = /** @type {Record<string, string>} */ (QUALITY_ZH);
  return language === "zh" ? (zh[level] ?? level) : level;
}

export function spoken() {
  return language;
}

/** The browser's language, where it is one of ours. */
export function preferred() {
  return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}
