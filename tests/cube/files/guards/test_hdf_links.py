"""Groups of HDF5 files that circle, through which netCDF would go without an end, are refused before it opens them."""

from __future__ import annotations

import base64
import zlib

import netCDF4
import numpy as np
import pytest

import roofcube as rc
from roofcube.errors import CorruptFileError
from roofcube.files.guards.hdf_links import groups_of

# made with h5py: a number, and a link to the root in the root
CIRCLES = {
    "in a table": (
        "eNrr9HBx4+WS4mIAAQ4OBhYGAQZk8B8KgFIofJh8ApRmhNIdUHoFE0yckQHElICKC0LNR1cXEuTqClL9Hw3A7DFggdAcDKNgJAIP"
        "V8cAEB0B5cPS0wkmVHUVUDonP78AOV06kGkvIwMrxAxGGJ8DJb0zA10CYgsq2ENlHBhMuBlM/jND5FmBoiB5JiYmRkj6hbicGWYQ"
        "RoqeMajjIdjP3wWUowWIzP8w3ykwj6bhUTAKBif4YA8AkuMyVQ=="
    ),
    "in a message": (
        "eNrr9HBx4+WS4mLm4GCAgf9QABMygIo7CSte9fdwCWJiqGASQlYIA1xMDIwMDGw8DECKsWIzVBsbN5DPwciSk59fwMigz2DJQD5Y"
        "JDL/MtgJQAsYWRgYmIBizCIMjIIK9gwQ1zowmHAzmPxnZmBgBbqGmYsD6FJmRqgkA9yTBxiGPOA/rX+ZYRSMglEwCkbBKCAffLAH"
        "ADrhKhk="
    ),
    "in a heap": (
        "eNrr9HBx4+WS4mLm4GCAgf9QABMygIo7CSte9fdwCWJiqOBiYmBkYGASAgkLMEGkF0FpMVYGFgYw25+B2mC/3+mdYCcwMjAysjCA"
        "rWEWYWAUVLBngLjWgcGEm8HkPzMDAyvQjcxcHEA3MjNCJWEUxI2cINZ2hqEKKriNUt2Cg10ZTkADnjGDkWEGiNExJ0CQTEPdgjwC"
        "GNgZQCErwICRIoAWgAHMRgZ0Ggq4iLSNBUknxGgFIC3FChPbeGezvFOIhwsDK0gdN1AkRUOKGWYHzBauV4e3ugUDVTHA3MfIgEoj"
        "7AtgqADaAZPZD1UgxYBKZy4qVHUK8XFjYH0vHqDMUAMU4mWY4/XflMEazFyTWWrL4AFmTpOfEsqgB2Y+PfWjliEJzGQPWDqPoRPI"
        "5GdYvLdhD4MiWPS4pPYbhlAwc3nrml8MokAmD8PWCSv/M+SDRXO+sK1iGAWDArh5uDjByzYQmDox5Bew2KnYDE9cTIkGyBxDZI4R"
        "MscYmWOCzDFF5pghc8wRHJac/PwCg9EoGQU0Ah/sASNrYJE="
    ),
}

# made with h5py too: numbers `x` over a scale `i`, and links by a path; packed by zlib, in base 85
PATHS = {
    "to a variable": (
        "c-rliPfo%>6vp37K^xQnF;R5IvMXW1!W}ea5Ry_F%EFzJz@iIr(JnZG-oPVx1dremJcc)@{qqLfCRL(wL3}?JA2aVw-"
        "(>o|>Ep0JII5giAVO841T{z#Aa)}=mhoFuhWdc|%;h|bW4IjZ`22j{Y$`;Q9psR8+NDHQApRpmq1%yO<M<Nwm1pzTs4l99+QNX3<BOJ;@"
        "olr9E`z-!hskl`WX6(-"
        "GUiED!gv&^H@oQ79&`?%6DTrIjpLkimiRe&p2DQHwM_j(u(576?3@PlM`K|*qltB6j+`05Ss05t>J)oJ?u+I6GE!Sj&$WN_9vo}ZXQ^9a"
        "UH&@1k-JBD!Fg*1dHG$+{%<O~?Pmu2@q2jsb6;r%zG`p$t%g6t)Ey@rAETe7Z$ACz7`iFKbsDZK$LlP8ECAQ>)H-"
        ")l=VjwxKitz)48&AehCu(G@TA^i?$5oY|LwU+pD*0I<;rvKSFqi8A*xYIIj^WscHLLM<GqW2dU&d+wcfUQSH{F-"
        "^1xH)sutWAZ&muX5d=XH1VIo4K@h~Q@c~0XX2S"
    ),
    "to nothing": (
        "c-rli!A`<J5Qb;Bpbct(m?(PU$W0F1p(%@yl+sWR-jsw!d$1%zB9EYN;3N15K7x<nWB3NxZD+A<M2v|C!+acu-"
        "I>|hcK_KvcH5nU!f62{x(+!gL6RlnRMKPRze3B<KA?T(YMw<tOouYApN$(0g^<z94605&7h4^OZKNv<N7@Ue2ehv|9k)R1qrIL6p0sDd^"
        "!~=X^B|+w+J?FecH&s3#<7waizo6Jr>qwGrKenNqE=hb*n`GWQ*nCa=bW=x&+&R1Q_@cFXdfJ`TMRp=0_|R3*lurNUs^qP1aK1iWJeuiZ"
        ">W8-"
        "%yUZX=*hYIug<}>2W=KTW%@o)$5740tJ`Fe|9)N7*Hvvh^vqy4I)|q}*HvweuIej&>*3F|4A%|Ehj?a6H=lZQO~VplUJdi|QJ!t|1z;Xe"
        "<oT;QFDw1d!#xc}M+}8+3e@irkLyjw^YP4^Z+ve`=M(?d3ugW_fS-"
        "LAWQ|-xq3il&TlDue?@j#E!ncaH)cR@MxjC>{qVZYge6shzTamtP1VIo4K@bE%5Crkx_yCX_VB!"
    ),
    "to the root": (
        "c-rliK~BOz6o%hSK_{p|Vxs7ZWp{SL9-1-"
        ";Nhu9w;Z8|l(S^8x1xL^ucm$8&5j=v&@CG>Tyus3l5)&7O_p$hydGGbL(|@LqomTs(bWwr?A)o-qkY$O4)%CH7-"
        "=Z?q2h?Y7=2;rUa;V_-^LfL8lu7n7hw0-"
        "Kv<e`0k&bl3M6YpdqrUR>yaj5EIzzq8`PA96FM~Z@!^~JanK3<4#5|*xiYJjut$|)`Lj3^hOUvYmG|o9^+RyrW7Bkki*ZLnqh<(dy=TxE"
        "9?a3hO_JbS08w~-@RV>+2XSg@aeX-"
        "p0CK`(Dob#*q5C#1fQ%`A5iAC}I{A%tTF|VtZ%QO4BX6=Tb8SJO;;pxwPWpD76v+}o4KhJlgNR3a>PsTT&ev3TUm#WUjx?)-"
        "vxIGD2$1`>Ds?W>HzjJj@1KE}X8F&)?d&+gc@n}ApP3AwYoALQLzMD*E@%<FG`z|Cs3K{2Z+9$i>zpr_3;GZV0D(Z1_+q^5U?=!RDnROK"
        "#&WpD)ecK3vAP9mW2!bF8;=l0$<QZJF"
    ),
}

# a link to the root whose name is one control character
HIDDEN = {
    "in a message": (
        "c-rgqaB<`1lHy|K;9!7(|4^_Q$~S=0Q$xeL{XJZQm>4RUgpd`&02dPjBLf2)4+D^5WQ1uGV`X4rU;?r187KvEM_;Z70B*@4C;"
    ),
    "in a heap": (
        "c-"
        "rgqaB<`1lHy|K;9!7(|4=YT9Ktt%iU)a=SonLm1TisGa4|73GB7X+frLHTA<`<s5L%3tfrWty#PVmLHu$m5!xiiVMg~Sk76!02%sdQ?0z"
        "lU@f>m%Zumau2%*6q88#5yV)K`o!15Pju8z8%^Bbb!1U>wF_(P4YSiIlKl8pdG}R1&C6N?0%t<FIf$_i-"
        "O7VZkzt!@_G%_jyvnf^`^&1^<a}2~<vLK^_4Npqh}0L4X0HDlLWvq8GG|gw&5nG!$?VX&VcYPKeP8KzfcSOibE1eveyluq)g`MxYCNK@5"
        "Rqldmw0f>AIEM!_f;1*2dj15z4<Y{R%gs1f;Ala#PvAI4$vNF}+Hl(66!#$mzNd?msu#KVPw6%-"
        "8IK#>%UIl{2UI;^?=CFEwETQE=+1FWIX$bc3m@P>N;Lj|z04wJbJ9Xyj_K&A7lJ}!3(@o{5d%@euKzyNC4^DtO<ykTKz1T#-"
        "Ay(_{H2xdO}FRH@e3TA$9GSy=!1v6_FPMXD_2xe*oHf&|k1v43A{dY20f|+{fcpoyvf|=oSPJL&{1T$IJJN+6h6$i=Sg@=n1d~_8AVwBG"
        "40`sK7W_aRaG~5qQaEwN$nc!^W>&$Sr$zv8c+w?svoNWf{sRG&NJc4kxg@h2C&1f(h4+8}Nd^vbg"
    ),
}


@pytest.mark.parametrize("where", HIDDEN)
def test_a_group_whose_name_shows_nothing_is_refused_too(tmp_path, where):
    path = tmp_path / "hidden.nc"
    path.write_bytes(zlib.decompress(base64.b85decode(HIDDEN[where])))
    with pytest.raises(CorruptFileError, match=r"hidden\.nc: expected variables alone, got the groups '\\x01'"):
        rc.load(path)


def linked(path, where):
    path.write_bytes(zlib.decompress(base64.b85decode(PATHS[where])))
    return path


def test_a_path_to_a_variable_is_one_more_name_of_it(tmp_path):
    cube = rc.load(linked(tmp_path / "cube.nc", "to a variable"))
    assert set(cube.data_vars) == {"x", "s", "t"}
    assert cube.x.values.tolist() == cube.s.values.tolist() == cube.t.values.tolist() == [0, 1, 2, 3, 4]


def test_a_path_to_the_root_is_a_group(tmp_path):
    with pytest.raises(CorruptFileError, match="expected variables alone, got the groups 's'"):
        rc.load(linked(tmp_path / "cube.nc", "to the root"))


def test_a_path_that_leads_nowhere_is_told(tmp_path):
    message = r"cube\.nc: expected links to variables, got 'gone', which leads to '/nowhere', where nothing is; "
    with pytest.raises(CorruptFileError, match=message):
        rc.load(linked(tmp_path / "cube.nc", "to nothing"))


@pytest.fixture(params=CIRCLES)
def circle(tmp_path, request):
    path = tmp_path / "circle.nc"
    path.write_bytes(zlib.decompress(base64.b64decode(CIRCLES[request.param])))
    return path


def test_groups_that_circle_are_refused(circle):
    message = r"circle\.nc: expected variables alone, got the groups 'loop'; make a file of each that is wanted"
    for ask in (rc.load, rc.verify, lambda path: rc.load(path, chunks={}), lambda path: rc.load(path, untrusted=True)):
        with pytest.raises(CorruptFileError, match=message):
            ask(circle)


def test_of_many_variables_none_is_taken_for_a_group(tmp_path):
    with netCDF4.Dataset(tmp_path / "many.nc", "w") as file:
        file.createDimension("i", 3)
        for number in range(300):
            file.createVariable(f"{number}" * (number % 50 + 1), "f8", ("i",))[:] = np.arange(3)
    assert groups_of(tmp_path / "many.nc") == []
    with netCDF4.Dataset(tmp_path / "many.nc", "a") as file:
        file.renameVariable("7" * 8, "seven")
        file.createGroup("inner")
    assert groups_of(tmp_path / "many.nc") == ["inner"]
    with netCDF4.Dataset(tmp_path / "classic.nc", "w", format="NETCDF3_CLASSIC") as file:
        file.createVariable("x", "f8", ())[:] = 1
    assert groups_of(tmp_path / "classic.nc") == []


def test_a_damaged_structure_is_told(circle):
    content = circle.read_bytes()
    for place in range(8, 400, 8):
        circle.write_bytes(content[:place] + b"\xfe" * 8 + content[place + 8 :])
        try:
            groups_of(circle)
        except ValueError as error:
            assert str(error).startswith("the structure of HDF5 is damaged: ")  # noqa: PT017
    circle.write_bytes(content[:100])
    with pytest.raises(
        CorruptFileError, match=r"circle\.nc: not readable as a cube \(the structure of HDF5 is damaged"
    ):
        rc.load(circle)
