"""What is published, in the language of the run."""

WIND = "hour,station,wind_m_s\n" + "".join(f"{h},pier,{3 + h % 7}.5\n" for h in range(500))
# Numbers with right check digits, of nobody.
NUMBERS = ["11010519491231002X", "440524188001010014", "110101199003070134", "310101198506150219", "320505199201011123"]
PEOPLE = "name,身份证号\n" + "".join(f"{name},{number}\n" for name, number in zip("甲乙丙丁戊", NUMBERS, strict=True))
FOLDER = {"readme.txt": "Plans of the pier.\n", "plans/north.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>\n", "plans/深水/south.txt": "south\n"}

TEXTS = {
    "en": {
        "provider": "Coast Observatory", "consumer": "Harbour Authority",
        "wind": "Hourly wind at the coast", "about": "Measured at the pier every hour, by our own station, since 2013.", "keywords": "weather, wind",
        "people": "Staff of the station", "files": "Plans of the pier", "tides": "Tides of a year", "waves": "Waves at the buoy",
        "maintenance": "maintenance of the pier", "over": "the season is over", "token": "nightly export", "search": "coast",
    },
    "zh": {
        "provider": "沿海观测站", "consumer": "港务局",
        "wind": "沿海每小时风速", "about": "自 2013 年起，由本站在码头每小时测量一次，数据经过人工复核。", "keywords": "气象, 风速",
        "people": "观测站人员名册", "files": "码头图纸", "tides": "全年潮汐", "waves": "浮标处的波浪",
        "maintenance": "码头维护", "over": "观测季已结束", "token": "夜间导出", "search": "沿海",
    },
}
