"""Invented names. Given names are put together from characters chosen for sound, not taken from any list of people."""

from __future__ import annotations

from server.demo.chance import Chance

# The commonest surnames, commonest first: the n-th is drawn about 1/(n+6) as often.
SURNAMES = tuple(
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜"
)
_WEIGHTS = {name: 1 / (place + 6) for place, name in enumerate(SURNAMES)}

_OLD_MEN = "根福贵有德富全阿仁寿宝长发顺兴土金水木生泉"
_OLD_WOMEN = "凤珍妹英娣宝秀琴阿巧云香兰仙桂金素月梅玉"
_MEN = "栎岸澄崧峤衡朔屹砚颂鸣谦韬骁铮恺昱晟霖沛泊竑朗旻"
_WOMEN = "岚禾苒黛芷蘅菡窈笙绮婧娴钰珂琬瑾漪沁汐棠槿萱妍姝"
_YOUNG = "一子若辰沐宸梓知予言安乐南北星屿川禾小可亦初允希"


def given_name(chance: Chance, sex: str, age: int) -> str:
    """A given name of one or two characters, in the fashion of the generation."""
    if age >= 58:
        pool = _OLD_MEN if sex == "1" else _OLD_WOMEN
    else:
        pool = _MEN if sex == "1" else _WOMEN
    second = chance.one(pool)
    if chance.holds(0.12 if age >= 25 else 0.06):
        return second
    first = chance.one(_YOUNG if age < 20 else pool)
    return first + second


def surname(chance: Chance) -> str:
    """A surname, common ones more often."""
    return chance.weighted(_WEIGHTS)


ESTATES = (
    "听雨苑", "北桥新村", "桑园里", "柳岸花园", "东塘弄", "水埠头", "梧桐小区", "南浜新村", "石皮巷", "运河人家",
    "荷塘里", "双井坊",
)  # fmt: skip
PROPERTY_COMPANIES = (
    "安居示例物业", "和邻示例物业", "清源示例物业",
)  # fmt: skip

# Where people are registered who are registered elsewhere: places that do not exist, in regions that are not assigned.
ELSEWHERE = (
    ("999998102", "望江省云台市柳河县白石镇"),
    ("999998207", "望江省松岭市青川县双桥乡"),
    ("999997113", "北麓省安陵市东埔区河口街道"),
    ("999997305", "北麓省沙洲市永宁县大坪镇"),
    ("999996021", "南屏省海棠市临海县渔港镇"),
    ("999996118", "南屏省枫林市古田县上溪乡"),
    ("999999204", "演示市演示区松涛街道"),
)

OCCUPATIONS = (
    "公司职员", "教师", "医护人员", "司机", "商店店员", "餐饮服务", "快递配送", "工程技术", "会计", "工厂工人",
    "公务人员", "个体经营", "家政服务", "设计", "电工", "保安",
)  # fmt: skip
EMPLOYERS = (
    "示例电子有限公司", "示例百货", "示例第二小学", "示例建筑设计院", "示例物流有限公司", "示例餐饮店", "示例软件有限公司",
    "示例医院",
)  # fmt: skip
